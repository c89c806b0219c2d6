//! Randomness as a value that is handed in.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

/// A source of random bytes.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills the whole buffer with random bytes.
    ///
    /// # Errors
    /// [`EntropyError`] when the source has nothing to give; the buffer must then not be used.
    fn fill(&self, buf: &mut [u8]) -> Result<(), EntropyError>;
}

/// The source of randomness did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness is not available")]
pub struct EntropyError;

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the system's randomness"
    )]
    fn fill(&self, buf: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(buf).map_err(|_| EntropyError)
    }
}

/// A reproducible sequence of bytes for tests and golden vectors.
///
/// Block `n` is SHA-256 of the seed and `n`, both as eight big-endian bytes; every call starts at
/// a new block.
///
/// # Security
/// Whoever knows the seed knows every byte: never use it for a real instance.
#[derive(Debug, Default)]
pub struct SeededEntropy {
    seed: u64,
    next_block: AtomicU64,
}

impl SeededEntropy {
    /// Starts the sequence that belongs to the seed.
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            next_block: AtomicU64::new(0),
        }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buf: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in buf.chunks_mut(32) {
            let number = self.next_block.fetch_add(1, Ordering::Relaxed);
            let block = Sha256::new()
                .chain_update(self.seed.to_be_bytes())
                .chain_update(number.to_be_bytes())
                .finalize();
            for (target, source) in chunk.iter_mut().zip(block) {
                *target = source;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(source: &dyn Entropy) -> [u8; 40] {
        let mut bytes = [0; 40];
        source.fill(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_same_seed_gives_the_same_sequence() {
        let (one, two) = (SeededEntropy::new(1), SeededEntropy::new(1));
        assert_eq!((draw(&one), draw(&one)), (draw(&two), draw(&two)));
    }

    #[test]
    fn draws_and_seeds_differ() {
        let one = SeededEntropy::new(1);
        let first = draw(&one);
        assert_ne!(first, draw(&one));
        assert_ne!(first, draw(&SeededEntropy::new(2)));
    }

    #[test]
    fn the_system_source_gives_different_bytes_each_time() {
        assert_ne!(draw(&SystemEntropy), draw(&SystemEntropy));
    }
}
