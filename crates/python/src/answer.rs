//! Results as Python objects.

use bosa_auth::{
    ApiKeyModel, ClientModel, CurrentUser, Page, ThirdPartyIntegrationAuth, Timestamp, TokenInfo,
    TokenModel, UserComplete, UserModel, VerifiedToken,
};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyDict, PyList, PyTzInfo};
use uuid::Uuid;

use crate::maker::Maker;

/// What an operation gives back.
pub(crate) trait Answer: Send + 'static {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>>;
}

/// A time, in UTC.
pub(crate) fn datetime(py: Python<'_>, time: Timestamp) -> PyResult<Bound<'_, PyDateTime>> {
    let time = time.to_zoned_datetime(jiff::tz::TimeZone::UTC).datetime();
    PyDateTime::new(
        py,
        time.year().into(),
        time.month().unsigned_abs(),
        time.day().unsigned_abs(),
        time.hour().unsigned_abs(),
        time.minute().unsigned_abs(),
        time.second().unsigned_abs(),
        (time.subsec_nanosecond() / 1000).unsigned_abs(),
        Some(&*PyTzInfo::utc(py)?),
    )
}

/// The fields of a model, in their order.
macro_rules! fields {
    ($py:expr, { $($name:ident: $value:expr),* $(,)? }) => {{
        let fields = PyDict::new($py);
        $(fields.set_item(pyo3::intern!($py, stringify!($name)), $value)?;)*
        fields
    }};
}

impl Answer for () {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(py.None().into_bound(py))
    }
}

impl Answer for bool {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(PyBool::new(py, self).to_owned().into_any())
    }
}

impl Answer for Uuid {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(self.into_pyobject(py)?.into_any())
    }
}

impl<T: Answer> Answer for Option<T> {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Some(answer) => answer.into_python(py),
            None => ().into_python(py),
        }
    }
}

impl<T: Answer> Answer for Vec<T> {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let items = PyList::empty(py);
        for item in self {
            items.append(item.into_python(py)?)?;
        }
        Ok(items.into_any())
    }
}

/// A page is its items and the cursor of the next one.
impl<T: Answer> Answer for Page<T> {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let pair = (self.items.into_python(py)?, self.next_cursor);
        Ok(pair.into_pyobject(py)?.into_any())
    }
}

impl Answer for ClientModel {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static MAKER: Maker = Maker::of("ClientModel");
        let fields = fields!(py, {
            id: self.id.as_uuid(),
            name: self.name,
            api_key: self.api_key.expose(),
            is_active: self.is_active,
            created_at: datetime(py, self.created_at)?,
            can_get_integrations: self.can_get_integrations,
        });
        MAKER.make(py, fields)
    }
}

impl Answer for ApiKeyModel {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static MAKER: Maker = Maker::of("ApiKeyModel");
        let scopes: Vec<_> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        let fields = fields!(py, {
            id: self.id.as_uuid(),
            client_id: self.client_id.as_uuid(),
            api_key: self.api_key.expose(),
            preview: self.preview,
            scopes: scopes,
            created_at: datetime(py, self.created_at)?,
            expires_at: optional(py, self.expires_at)?,
            last_used_at: optional(py, self.last_used_at)?,
            revoked_at: optional(py, self.revoked_at)?,
        });
        MAKER.make(py, fields)
    }
}

impl Answer for UserModel {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static MAKER: Maker = Maker::of("UserModel");
        MAKER.make(py, user_fields(py, self)?)
    }
}

impl Answer for UserComplete {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static MAKER: Maker = Maker::of("UserComplete");
        let fields = user_fields(py, self.user)?;
        fields.set_item("integrations", self.integrations.into_python(py)?)?;
        MAKER.make(py, fields)
    }
}

impl Answer for TokenModel {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static MAKER: Maker = Maker::of("TokenModel");
        let fields = fields!(py, {
            token: self.token.expose(),
            token_type: self.token_type,
            expires_at: self.expires_at,
            id: self.id.as_uuid(),
            user_id: self.user_id.as_uuid(),
            client_id: self.client_id.as_uuid(),
        });
        MAKER.make(py, fields)
    }
}

impl Answer for VerifiedToken {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static MAKER: Maker = Maker::of("VerifiedToken");
        let fields = fields!(py, {
            id: self.id.as_uuid(),
            user_id: self.user_id.as_uuid(),
            client_id: self.client_id.as_uuid(),
            identifier: self.identifier,
            expires_at: self.expires_at,
        });
        MAKER.make(py, fields)
    }
}

impl Answer for CurrentUser {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static MAKER: Maker = Maker::of("CurrentUser");
        let fields = fields!(py, {
            user_id: self.user_id().as_uuid(),
            client_id: self.client_id().as_uuid(),
            identifier: self.identifier(),
            token_id: self.token_id().as_uuid(),
        });
        MAKER.make(py, fields)
    }
}

impl Answer for TokenInfo {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static MAKER: Maker = Maker::of("TokenInfo");
        let fields = fields!(py, {
            id: self.id.as_uuid(),
            user_id: self.user_id.as_uuid(),
            issued_at: datetime(py, self.issued_at)?,
            expires_at: self.expires_at,
            revoked_at: optional(py, self.revoked_at)?,
            is_active: self.is_active,
        });
        MAKER.make(py, fields)
    }
}

impl Answer for ThirdPartyIntegrationAuth {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static MAKER: Maker = Maker::of("ThirdPartyIntegrationAuth");
        let fields = fields!(py, {
            client_id: self.client_id.as_uuid(),
            user_id: self.user_id.as_uuid(),
            connector: self.connector,
            auth_string: self.auth_string.expose(),
            user_identifier: self.user_identifier,
            auth_scopes: self.auth_scopes,
            id: self.id.map(|id| id.as_uuid()),
            selected: self.selected,
            auth_status: self.auth_status.as_str(),
            created_at: optional(py, self.created_at)?,
            auth_status_reason: self.auth_status_reason,
            auth_status_since: optional(py, self.auth_status_since)?,
        });
        MAKER.make(py, fields)
    }
}

fn user_fields(py: Python<'_>, user: UserModel) -> PyResult<Bound<'_, PyDict>> {
    Ok(fields!(py, {
        id: user.id.as_uuid(),
        client_id: user.client_id.as_uuid(),
        identifier: user.identifier,
        secret: user.secret.expose(),
        is_active: user.is_active,
        created_at: datetime(py, user.created_at)?,
        secret_preview: user.secret_preview,
    }))
}

fn optional(py: Python<'_>, time: Option<Timestamp>) -> PyResult<Option<Bound<'_, PyDateTime>>> {
    time.map(|time| datetime(py, time)).transpose()
}
