//! Argon2id hashes of chosen secrets (RFC 9106), in memory that the caller keeps.
//!
//! Costs follow the OWASP Password Storage Cheat Sheet. Hashing takes tens of milliseconds and
//! megabytes: the caller runs it on threads of its own, each with one [`HashMemory`].

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::entropy::{Entropy, EntropyError};

/// The cost of one Argon2id hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Argon2Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

/// The cost of the original service's hashes of user secrets.
pub const ORIGINAL_COST: Argon2Cost = Argon2Cost {
    memory_kib: 65_536,
    iterations: 3,
    parallelism: 4,
};

impl Argon2Cost {
    /// Reads `m,t,p`: KiB of memory, passes, lanes.
    ///
    /// # Errors
    /// [`PasswordError::InvalidCost`] when the text has another form or the cost is beyond what
    /// would ever be verified; [`PasswordError::WeakCost`] when it is below the OWASP minimum.
    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        let mut numbers = text.split(',').map(decimal);
        let (Some(Some(memory_kib)), Some(Some(iterations)), Some(Some(parallelism)), None) = (
            numbers.next(),
            numbers.next(),
            numbers.next(),
            numbers.next(),
        ) else {
            return Err(PasswordError::InvalidCost);
        };
        let cost = Self {
            memory_kib,
            iterations,
            parallelism,
        };
        cost.params(HASH_LEN)
            .map_err(|_| PasswordError::InvalidCost)?;
        if cost.is_weak() {
            return Err(PasswordError::WeakCost);
        }
        Ok(cost)
    }

    /// Tells whether the cost is below every one that OWASP holds to be enough.
    pub const fn is_weak(&self) -> bool {
        let least_kib = match self.iterations {
            0 => u32::MAX,
            1 => 46 * 1024,
            2 => 19 * 1024,
            3 => 12 * 1024,
            4 => 9 * 1024,
            _ => 7 * 1024,
        };
        self.memory_kib < least_kib || self.parallelism == 0
    }

    fn params(&self, output_len: usize) -> Result<Params, PasswordError> {
        if self.memory_kib > MAX_MEMORY_KIB
            || self.iterations > MAX_ITERATIONS
            || self.parallelism > MAX_PARALLELISM
        {
            return Err(PasswordError::UnsupportedHash);
        }
        Params::new(
            self.memory_kib,
            self.iterations,
            self.parallelism,
            Some(output_len),
        )
        .map_err(|_| PasswordError::UnsupportedHash)
    }
}

impl Default for Argon2Cost {
    /// OWASP's first choice: 19 MiB, two passes, one lane.
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
        }
    }
}

impl FromStr for Argon2Cost {
    type Err = PasswordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Argon2Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            memory_kib,
            iterations,
            parallelism,
        } = self;
        write!(f, "{memory_kib},{iterations},{parallelism}")
    }
}

/// Why a secret could not be hashed or compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The text of a cost does not have the form `m,t,p` or is out of bounds.
    #[error("invalid cost: expected `memory in KiB,passes,lanes`, for example `19456,2,1`")]
    InvalidCost,
    /// The cost is below the OWASP minimum.
    #[error("cost below the accepted minimum, for example `19456,2,1`")]
    WeakCost,
    /// A stored hash is not an Argon2id PHC string that is taken here.
    #[error("stored hash is not a supported Argon2id hash")]
    UnsupportedHash,
    /// The memory for the hash can't be had.
    #[error("not enough memory to hash a secret")]
    OutOfMemory,
    /// There is no randomness for a salt.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Memory for hashing, kept between hashes and wiped after each.
#[derive(Default)]
pub struct HashMemory(Vec<Block>);

impl HashMemory {
    /// Starts without memory; it grows to what a hash needs and then stays.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns how much memory is held, in KiB.
    pub fn held_kib(&self) -> usize {
        self.0.len()
    }

    /// Gives back what is held beyond the given number of KiB; nothing of it stays with the process.
    pub fn shrink_to(&mut self, kib: usize) {
        self.0.truncate(kib);
        if kib == 0 {
            self.0 = Vec::new();
        } else {
            self.0.shrink_to(LEAST_RESERVED_KIB);
        }
    }

    fn blocks(&mut self, count: usize) -> Result<&mut [Block], PasswordError> {
        if count > self.0.len() {
            let missing = count.max(LEAST_RESERVED_KIB) - self.0.len();
            self.0
                .try_reserve_exact(missing)
                .map_err(|_| PasswordError::OutOfMemory)?;
            self.0.resize(count, Block::new());
        }
        self.0.get_mut(..count).ok_or(PasswordError::OutOfMemory)
    }
}

impl Drop for HashMemory {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for HashMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashMemory({} KiB)", self.held_kib())
    }
}

/// Hashes a secret with a new salt and returns the PHC string to store.
///
/// # Errors
/// [`PasswordError::UnsupportedHash`] for a cost out of bounds, [`PasswordError::OutOfMemory`],
/// [`PasswordError::Entropy`].
pub fn hash(
    secret: &str,
    cost: Argon2Cost,
    memory: &mut HashMemory,
    entropy: &dyn Entropy,
) -> Result<String, PasswordError> {
    let mut salt = [0; SALT_LEN];
    entropy.fill(&mut salt)?;
    let mut output = Zeroizing::new([0; HASH_LEN]);
    run(secret, &salt, cost, memory, output.as_mut_slice())?;
    phc(cost, &salt, output.as_slice())
}

/// Tells whether a secret is the one that the PHC string was made of, in constant time.
///
/// The work is the string's own cost, whether the secret is right or not.
///
/// # Errors
/// [`PasswordError::UnsupportedHash`] when the string is not Argon2id version 19 with salt and
/// hash, or its cost is out of bounds; [`PasswordError::OutOfMemory`].
pub fn verify(secret: &str, phc: &str, memory: &mut HashMemory) -> Result<bool, PasswordError> {
    let stored = Stored::read(phc)?;
    let mut output = Zeroizing::new(vec![0; stored.output.len()]);
    run(secret, &stored.salt, stored.cost, memory, &mut output)?;
    Ok(output.as_slice().ct_eq(stored.output.as_bytes()).into())
}

/// Tells whether a PHC string was made at another cost than the given one.
pub fn needs_rehash(phc: &str, cost: Argon2Cost) -> bool {
    cost_of(phc) != Some(cost)
}

/// Returns a PHC string of this cost that no secret matches, for refusals that must cost the same.
pub fn dummy_phc(cost: Argon2Cost) -> String {
    // No input is known, or can be found, whose hash is all zero bits.
    phc(cost, &[0; SALT_LEN], &[0; HASH_LEN]).unwrap_or_default()
}

/// Returns the cost of a PHC string; none when the string would not be verified.
pub fn cost_of(phc: &str) -> Option<Argon2Cost> {
    Stored::read(phc).ok().map(|stored| stored.cost)
}

const SALT_LEN: usize = 16;
const HASH_LEN: usize = 32;

/// How much address space the memory of a hash takes at least; what is not used of it costs nothing.
///
/// The allocator of the GNU C library gives every block of more than 32 MiB a mapping of its own, which
/// ends with the block. A smaller one that is freed once raises the size from which blocks get that,
/// and the next ones of its kind stay with the process for good (mallopt(3), M_MMAP_THRESHOLD).
const LEAST_RESERVED_KIB: usize = 33 * 1024;

/// Bounds of what is ever computed, so that a stored string can't exhaust the machine.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_ITERATIONS: u32 = 64;
const MAX_PARALLELISM: u32 = 64;

/// What a PHC string says.
struct Stored {
    cost: Argon2Cost,
    salt: Salt,
    output: Output,
}

impl Stored {
    fn read(phc: &str) -> Result<Self, PasswordError> {
        let hash = PasswordHash::new(phc).map_err(|_| PasswordError::UnsupportedHash)?;
        let params = Params::try_from(&hash).map_err(|_| PasswordError::UnsupportedHash)?;
        let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
            return Err(PasswordError::UnsupportedHash);
        };
        let cost = Argon2Cost {
            memory_kib: params.m_cost(),
            iterations: params.t_cost(),
            parallelism: params.p_cost(),
        };
        let plain = params.keyid().is_empty() && params.data().is_empty();
        let named = ["m", "t", "p"]
            .into_iter()
            .all(|name| hash.params.get(name).is_some());
        let ours = hash.algorithm.as_str() == Algorithm::Argon2id.as_str()
            && hash.version == Some(Version::V0x13.into());
        cost.params(output.len())?;
        if plain && named && ours {
            Ok(Self { cost, salt, output })
        } else {
            Err(PasswordError::UnsupportedHash)
        }
    }
}

fn run(
    secret: &str,
    salt: &[u8],
    cost: Argon2Cost,
    memory: &mut HashMemory,
    output: &mut [u8],
) -> Result<(), PasswordError> {
    let params = cost.params(output.len())?;
    let blocks = memory.blocks(params.block_count())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let result =
        argon2.hash_password_into_with_memory(secret.as_bytes(), salt, output, &mut *blocks);
    blocks.iter_mut().for_each(Zeroize::zeroize);
    result.map_err(|_| PasswordError::UnsupportedHash)
}

fn phc(cost: Argon2Cost, salt: &[u8], output: &[u8]) -> Result<String, PasswordError> {
    let unsupported = |_| PasswordError::UnsupportedHash;
    let params = cost.params(output.len())?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|_| PasswordError::UnsupportedHash)?,
        salt: Some(Salt::new(salt).map_err(unsupported)?),
        hash: Some(Output::new(output).map_err(unsupported)?),
    };
    Ok(hash.to_string())
}

/// Reads a number without sign, spaces or leading zeros.
fn decimal(text: &str) -> Option<u32> {
    let number = text.parse::<u32>().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests;
