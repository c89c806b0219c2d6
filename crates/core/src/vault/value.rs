//! Values, sealed under a data key of their client or under a key of the deployment's own.

use std::fmt;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::ZeroizeOnDrop;

use super::root_key::KEY_BYTES;
use super::seal::{NONCE_BYTES, OpenError, SealError, TAG_BYTES, VERSION, open, push_part, seal};
use crate::entropy::{Entropy, EntropyError};
use crate::id::{ClientId, DataKeyId, IntegrationId, UserId};
use crate::secret::SecretBytes;

/// The key of a client's values, or of the deployment's own, with its id: 32 random bytes, wiped when
/// dropped.
#[derive(ZeroizeOnDrop)]
pub struct DataKey {
    #[zeroize(skip)]
    id: DataKeyId,
    bytes: [u8; KEY_BYTES],
}

impl DataKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`EntropyError`] when there is no randomness.
    pub fn generate(id: DataKeyId, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut key = Self {
            id,
            bytes: [0; KEY_BYTES],
        };
        entropy.fill(&mut key.bytes)?;
        Ok(key)
    }

    /// Takes the opened bytes of an existing key.
    ///
    /// # Errors
    /// `Malformed` when there are not 32 of them.
    pub fn from_bytes(id: DataKeyId, bytes: &SecretBytes) -> Result<Self, OpenError> {
        match bytes.expose().try_into() {
            Ok(bytes) => Ok(Self { id, bytes }),
            Err(_) => Err(OpenError::Malformed),
        }
    }

    /// Returns the key's id.
    pub const fn id(&self) -> DataKeyId {
        self.id
    }

    /// Returns the bytes, to be sealed.
    ///
    /// # Security
    /// Whoever has them can open every value that is sealed under the key.
    pub const fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({}, redacted)", self.id)
    }
}

/// What a sealed value is; one sealed as one thing never opens as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValuePurpose {
    /// What an integration authenticates with: the text that a caller stored.
    IntegrationAuth,
    /// The refresh token of an account that was connected here.
    RefreshToken,
    /// The secret of an OAuth client at a provider.
    ConnectorSecret,
    /// The PKCE code verifier of a connection that was begun (RFC 7636 section 4.1).
    CodeVerifier,
}

/// Where a sealed value belongs: it opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueContext<'a> {
    /// The client.
    pub client_id: ClientId,
    /// The user.
    pub user_id: UserId,
    /// The row that holds the value: an account, or a connection that will become one.
    pub row_id: IntegrationId,
    /// The connector's name, byte for byte.
    pub connector: &'a str,
    /// The account's name, byte for byte.
    pub account: &'a str,
}

impl<'a> ValueContext<'a> {
    /// Returns the place of a connector's OAuth client secret, which belongs to no user and no row: a
    /// client's own secret, or the deployment's when there is no `owner`.
    pub fn connector_secret(owner: Option<ClientId>, connector: &'a str) -> Self {
        Self {
            client_id: owner.unwrap_or(Uuid::nil().into()),
            user_id: Uuid::nil().into(),
            row_id: Uuid::nil().into(),
            connector,
            account: "",
        }
    }
}

/// Seals a value under a data key for the place where it belongs.
///
/// # Errors
/// [`SealError::Entropy`] when there is no randomness.
pub fn seal_value(
    key: &DataKey,
    purpose: ValuePurpose,
    context: &ValueContext<'_>,
    plain: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let (byte, name) = purpose.mark();
    let associated = associated(key.id, byte, context);
    let mut layout = Vec::with_capacity(1 + ID_BYTES + NONCE_BYTES + plain.len() + TAG_BYTES);
    layout.push(VERSION);
    layout.extend_from_slice(key.id.as_uuid().as_bytes());
    seal(
        &key.bytes,
        &[LABEL, name],
        &associated,
        plain,
        layout,
        entropy,
    )
}

/// Opens a value that was sealed under the same key for the same place.
///
/// # Errors
/// `Malformed`, `OtherKey`, and `Refused` when it is changed or belongs elsewhere.
pub fn open_value(
    key: &DataKey,
    purpose: ValuePurpose,
    context: &ValueContext<'_>,
    sealed: &[u8],
) -> Result<SecretBytes, OpenError> {
    let (id, rest) = split(sealed).ok_or(OpenError::Malformed)?;
    if id != key.id {
        return Err(OpenError::OtherKey);
    }
    let (byte, name) = purpose.mark();
    let associated = associated(key.id, byte, context);
    open(&key.bytes, &[LABEL, name], &associated, rest)
}

/// Returns the id of the data key that a value says it is sealed under.
pub fn sealed_data_key_id(sealed: &[u8]) -> Option<DataKeyId> {
    split(sealed).map(|(id, _)| id)
}

impl ValuePurpose {
    const fn mark(self) -> (u8, &'static [u8]) {
        match self {
            Self::IntegrationAuth => (1, b"integration auth"),
            Self::RefreshToken => (2, b"refresh token"),
            Self::ConnectorSecret => (3, b"connector secret"),
            Self::CodeVerifier => (4, b"code verifier"),
        }
    }
}

const LABEL: &[u8] = b"bosa-auth sealed value v1: ";
const ID_BYTES: usize = 16;

/// Takes version and data-key id off the front.
fn split(sealed: &[u8]) -> Option<(DataKeyId, &[u8])> {
    let (&version, rest) = sealed.split_first()?;
    let (id, rest) = rest.split_first_chunk::<ID_BYTES>()?;
    (version == VERSION && rest.len() >= NONCE_BYTES + TAG_BYTES)
        .then(|| (DataKeyId::from(Uuid::from_bytes(*id)), rest))
}

/// Names have any length: their hash keeps the associated data at 98 bytes.
fn associated(key: DataKeyId, purpose: u8, context: &ValueContext<'_>) -> Vec<u8> {
    let mut names = Vec::new();
    push_part(&mut names, context.connector.as_bytes());
    push_part(&mut names, context.account.as_bytes());
    let mut data = vec![VERSION, purpose];
    data.extend_from_slice(context.client_id.as_uuid().as_bytes());
    data.extend_from_slice(context.user_id.as_uuid().as_bytes());
    data.extend_from_slice(context.row_id.as_uuid().as_bytes());
    data.extend_from_slice(key.as_uuid().as_bytes());
    data.extend_from_slice(&Sha256::digest(&names));
    data
}
