//! The description of one route, from which the router and the documentation are made.

use std::borrow::Cow;

use axum::routing::MethodRouter;
use bosa_auth::Scope;
use http::Method;
use utoipa::ToSchema;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Ref, RefOr};

use crate::router::AppState;

/// One route of the API.
#[derive(Debug, Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, its values in braces.
    pub path: &'static str,
    /// Who may call it.
    pub caller: Caller,
    /// The scope that the client key needs, if a client key is sent.
    pub scope: Option<Scope>,
    /// What it does, in one sentence.
    pub summary: &'static str,
    pub(crate) query: &'static [(&'static str, &'static str)],
    pub(crate) body: Option<Body>,
    pub(crate) answer: Answer,
    pub(crate) creates: bool,
    pub(crate) reports_outcome: bool,
    pub(crate) ends_in_name: bool,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) handler: fn() -> MethodRouter<AppState>,
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Anybody.
    Anyone,
    /// Whoever has a master key in `x-api-key`.
    MasterKey,
    /// A client with one of its keys in `x-api-key`.
    Client,
    /// A client as above for itself, or whoever has a master key, for any client or for all.
    ClientOrMasterKey,
    /// A client as above, or nobody in particular: the credential is in the body.
    MaybeClient,
    /// A user with its token in `Authorization: Bearer`, with or without its client's key beside it.
    User,
    /// A user as above, or nobody in particular.
    MaybeUser,
    /// A browser that follows a link. The answers are pages.
    Browser,
}

pub(crate) type Schemas = Vec<(String, RefOr<Schema>)>;
type SchemaOf = fn(&mut Schemas) -> RefOr<Schema>;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Body {
    pub(crate) schema: SchemaOf,
    pub(crate) required: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// `{"data": T, "meta": …}`.
    Data(SchemaOf),
    /// `{"data": [T], "meta": {"next_cursor": …}}`.
    List(SchemaOf),
    /// Any JSON, without an envelope.
    Bare(&'static str),
    /// A page for people.
    Page(&'static str),
    /// Status 303 to another address.
    Redirection(&'static str),
}

impl Route {
    pub(crate) const fn new(
        method: Method,
        path: &'static str,
        caller: Caller,
        handler: fn() -> MethodRouter<AppState>,
    ) -> Self {
        Self {
            method,
            path,
            caller,
            scope: None,
            summary: "",
            query: &[],
            body: None,
            answer: Answer::Bare(""),
            creates: false,
            reports_outcome: false,
            ends_in_name: false,
            headers: &[],
            handler,
        }
    }

    pub(crate) const fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    pub(crate) const fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    pub(crate) const fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    pub(crate) const fn headers(
        mut self,
        headers: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.headers = headers;
        self
    }

    pub(crate) const fn body<T: ToSchema>(mut self) -> Self {
        self.body = Some(Body {
            schema: schema_of::<T>,
            required: true,
        });
        self
    }

    pub(crate) const fn optional_body<T: ToSchema>(mut self) -> Self {
        self.body = Some(Body {
            schema: schema_of::<T>,
            required: false,
        });
        self
    }

    pub(crate) const fn data<T: ToSchema>(mut self) -> Self {
        self.answer = Answer::Data(schema_of::<T>);
        self
    }

    pub(crate) const fn list<T: ToSchema>(mut self) -> Self {
        self.answer = Answer::List(schema_of::<T>);
        self
    }

    pub(crate) const fn bare(mut self, description: &'static str) -> Self {
        self.answer = Answer::Bare(description);
        self
    }

    pub(crate) const fn page(mut self, description: &'static str) -> Self {
        self.answer = Answer::Page(description);
        self
    }

    pub(crate) const fn redirection(mut self, description: &'static str) -> Self {
        self.answer = Answer::Redirection(description);
        self
    }

    /// It takes an `Idempotency-Key`.
    pub(crate) const fn creates(mut self) -> Self {
        self.creates = true;
        self
    }

    /// Its refusals also carry `data.success`, where the public clients look.
    pub(crate) const fn reports_outcome(mut self) -> Self {
        self.reports_outcome = true;
        self
    }

    /// Its last value is a name in which slashes stand as they are, since public clients send it so.
    pub(crate) const fn ends_in_name(mut self) -> Self {
        self.ends_in_name = true;
        self
    }

    /// The path as the router matches it.
    pub(crate) fn matched(&self) -> Cow<'static, str> {
        match self.path.rsplit_once('{') {
            Some((before, name)) if self.ends_in_name => format!("{before}{{*{name}").into(),
            _ => self.path.into(),
        }
    }
}

fn schema_of<T: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    T::schemas(schemas);
    schemas.push((T::name().into_owned(), T::schema()));
    RefOr::Ref(Ref::from_schema_name(T::name()))
}
