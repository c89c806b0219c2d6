//! The master keys.

const SHORTEST_MASTER_KEY: usize = 32;

/// The keys that may manage clients, held as digests.
#[derive(Default)]
pub(crate) struct MasterKeys(Vec<[u8; 32]>);

impl MasterKeys {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut digests = Vec::new();
        for key in text.split(',').map(str::trim) {
            if key.is_empty() {
                return Err("an element is empty");
            }
            if key.len() < SHORTEST_MASTER_KEY {
                return Err(
                    "a master key has at least 32 characters; make one with: openssl rand -hex 32",
                );
            }
            digests.push(digest(key));
        }
        Ok(Self(digests))
    }

    /// Compares with every key, in constant time for each.
    pub(crate) fn contains(&self, presented: &str) -> bool {
        use subtle::ConstantTimeEq as _;
        let presented = digest(presented);
        self.0
            .iter()
            .fold(subtle::Choice::from(0), |found, key| {
                found | key.ct_eq(&presented)
            })
            .into()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for MasterKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "MasterKeys({})", self.0.len())
    }
}

fn digest(text: &str) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).into()
}
