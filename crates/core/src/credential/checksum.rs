//! The six characters at the end of a credential, by which a leaked one is recognised offline.

/// Number of characters of a checksum.
pub(super) const CHECKSUM_LEN: usize = 6;

/// Returns CRC-32/ISO-HDLC of the text in base 62, most significant digit first.
pub(super) fn checksum(text: &str) -> [u8; CHECKSUM_LEN] {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = base62(rest % 62);
        rest /= 62;
    }
    digits
}

fn base62(value: u32) -> u8 {
    // The caller passes a remainder by 62, which fits a byte.
    let value = value as u8;
    match value {
        0..=9 => b'0' + value,
        10..=35 => b'A' + (value - 10),
        _ => b'a' + (value - 36),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_digits_then_capitals_then_small_letters() {
        let alphabet: Vec<u8> = (0..62).map(base62).collect();
        assert_eq!(
            alphabet,
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        );
    }

    #[test]
    fn the_checksum_of_nothing_is_zero_padded_to_six_digits() {
        assert_eq!(&checksum(""), b"000000");
    }

    #[test]
    fn the_check_value_of_the_crc_is_the_published_one() {
        // CRC-32/ISO-HDLC of "123456789" is 0xCBF43926.
        assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
        let value = checksum("123456789").into_iter().fold(0_u64, |sum, byte| {
            let digit = (0..62).position(|d| base62(d) == byte).unwrap();
            sum * 62 + digit as u64
        });
        assert_eq!(value, 0xCBF4_3926);
    }
}
