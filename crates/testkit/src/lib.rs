//! Databases for the tests of BOSA Auth, and an OAuth 2.0 provider.
//!
//! Every test gets a database of its own, which disappears with it, and providers as it likes.

mod line;
pub mod oauth_provider;
mod postgres;
mod test_db;

pub use line::Line;
pub use test_db::TestDatabase;

/// Runs each test once on SQLite and once on PostgreSQL.
///
/// ```text
/// on_every_database! {
///     async fn a_row_comes_back(db: TestDatabase) {
///         db.db().ping().await.unwrap();
///     }
/// }
/// ```
/// becomes the tests `a_row_comes_back::sqlite` and `a_row_comes_back::postgres`.
#[macro_export]
macro_rules! on_every_database {
    ($(
        $(#[$meta:meta])*
        async fn $name:ident($db:ident: TestDatabase) $(-> $result:ty)? $body:block
    )*) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn check($db: $crate::TestDatabase) $(-> $result)? $body

            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() $(-> $result)? {
                check($crate::TestDatabase::sqlite().await).await
            }

            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() $(-> $result)? {
                check($crate::TestDatabase::postgres().await).await
            }
        }
    )*};
}

/// Stops the test: without its database it can say nothing.
#[expect(
    clippy::panic,
    reason = "only tests call this, and a test fails by panicking"
)]
pub(crate) fn give_up(what: &str, error: &dyn std::fmt::Display) -> ! {
    panic!("{what}: {error}")
}
