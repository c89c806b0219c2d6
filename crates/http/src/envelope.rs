//! The shape of every successful answer: `{"data": …, "meta": …}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use bosa_auth::{Created, Page};
use serde::Serialize;
use utoipa::ToSchema;

/// A successful answer.
#[derive(Debug, Serialize)]
pub(crate) struct Enveloped<T> {
    data: T,
    meta: Option<Meta>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Meta {
    Page(PageMeta),
    Replay(ReplayMeta),
}

/// Where a list goes on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageMeta {
    /// What to pass as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Present when a request was answered from its idempotency key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplayMeta {
    /// Always true.
    replayed: bool,
    /// How to get a credential, since it is shown only once.
    hint: &'static str,
}

impl<T> Enveloped<T> {
    pub(crate) fn new(data: T) -> Self {
        Self { data, meta: None }
    }

    /// What a creating call made; `hint` says how to get another credential.
    pub(crate) fn created<M>(created: Created<M>, hint: &'static str) -> Self
    where
        T: From<M>,
    {
        let replay = ReplayMeta {
            replayed: true,
            hint,
        };
        Self {
            data: created.resource.into(),
            meta: created.replayed.then_some(Meta::Replay(replay)),
        }
    }
}

impl<T> Enveloped<Vec<T>> {
    pub(crate) fn page<M>(page: Page<M>) -> Self
    where
        T: From<M>,
    {
        let meta = PageMeta {
            next_cursor: page.next_cursor,
        };
        Self {
            data: page.items.into_iter().map(T::from).collect(),
            meta: Some(Meta::Page(meta)),
        }
    }

    /// A list that is always complete: found by a unique name, it has one item or none.
    pub(crate) fn found<M>(item: Option<M>) -> Self
    where
        T: From<M>,
    {
        Self::page(Page {
            items: item.into_iter().collect(),
            next_cursor: None,
        })
    }
}

impl<T: Serialize> IntoResponse for Enveloped<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}
