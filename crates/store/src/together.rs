//! Reads that leave together and are answered in one round trip.

use std::vec;

use crate::db::{Param, Row};
use crate::error::StoreError;
use crate::store::{Source, Store};

/// A statement that reads, and how its rows are understood.
#[derive(Debug)]
pub struct Reading<T> {
    sql: &'static str,
    params: Vec<Param>,
    understand: fn(&[Row]) -> Result<T, StoreError>,
}

impl<T> Reading<T> {
    pub(crate) fn new(
        sql: &'static str,
        params: Vec<Param>,
        understand: fn(&[Row]) -> Result<T, StoreError>,
    ) -> Self {
        Self {
            sql,
            params,
            understand,
        }
    }

    /// Reads it alone.
    pub(crate) async fn alone<S: Source>(self, source: &mut S) -> Result<T, StoreError> {
        let rows = source.rows(self.sql, self.params).await?;
        (self.understand)(&rows)
    }
}

/// What may be read in one round trip: a [`Reading`], a pair or list of such, or one that is left out.
pub trait Together: Send {
    /// What is learned.
    type Answer;

    /// Adds the statements, in their order.
    fn ask(&mut self, statements: &mut Vec<(&'static str, Vec<Param>)>);

    /// Takes the answers to its own statements.
    ///
    /// # Errors
    /// [`StoreError`] when a row cannot be understood.
    fn understand(&self, answers: &mut vec::IntoIter<Vec<Row>>)
    -> Result<Self::Answer, StoreError>;
}

impl<T> Together for Reading<T> {
    type Answer = T;

    fn ask(&mut self, statements: &mut Vec<(&'static str, Vec<Param>)>) {
        statements.push((self.sql, std::mem::take(&mut self.params)));
    }

    fn understand(&self, answers: &mut vec::IntoIter<Vec<Row>>) -> Result<T, StoreError> {
        let missing = || StoreError::Internal("a read has no answer".to_owned());
        (self.understand)(&answers.next().ok_or_else(missing)?)
    }
}

impl<R: Together> Together for Option<R> {
    type Answer = Option<R::Answer>;

    fn ask(&mut self, statements: &mut Vec<(&'static str, Vec<Param>)>) {
        if let Some(reading) = self {
            reading.ask(statements);
        }
    }

    fn understand(
        &self,
        answers: &mut vec::IntoIter<Vec<Row>>,
    ) -> Result<Self::Answer, StoreError> {
        self.as_ref()
            .map(|reading| reading.understand(answers))
            .transpose()
    }
}

impl<R: Together> Together for Vec<R> {
    type Answer = Vec<R::Answer>;

    fn ask(&mut self, statements: &mut Vec<(&'static str, Vec<Param>)>) {
        for reading in self {
            reading.ask(statements);
        }
    }

    fn understand(
        &self,
        answers: &mut vec::IntoIter<Vec<Row>>,
    ) -> Result<Self::Answer, StoreError> {
        self.iter()
            .map(|reading| reading.understand(answers))
            .collect()
    }
}

/// Nothing.
impl Together for () {
    type Answer = ();

    fn ask(&mut self, _: &mut Vec<(&'static str, Vec<Param>)>) {}

    fn understand(&self, _: &mut vec::IntoIter<Vec<Row>>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl<A: Together, B: Together> Together for (A, B) {
    type Answer = (A::Answer, B::Answer);

    fn ask(&mut self, statements: &mut Vec<(&'static str, Vec<Param>)>) {
        self.0.ask(statements);
        self.1.ask(statements);
    }

    fn understand(
        &self,
        answers: &mut vec::IntoIter<Vec<Row>>,
    ) -> Result<Self::Answer, StoreError> {
        Ok((self.0.understand(answers)?, self.1.understand(answers)?))
    }
}

impl Store {
    /// Reads several things in one round trip on one connection. They are not read at one moment: a
    /// later one may see what was committed after an earlier one.
    ///
    /// # Errors
    /// The first failure, for all of them.
    pub async fn together<R: Together>(&self, mut readings: R) -> Result<R::Answer, StoreError> {
        let mut statements = Vec::with_capacity(3);
        readings.ask(&mut statements);
        let answers = self.db().read_together(statements).await?;
        readings.understand(&mut answers.into_iter())
    }
}
