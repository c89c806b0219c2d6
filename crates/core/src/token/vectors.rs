//! Golden vectors: the same values as in `docs/formats.md`, computed there by other software.

use super::*;
use crate::clock::Timestamp;
use crate::secret::Secret;

pub(super) const ED25519_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n\
-----END PRIVATE KEY-----\n\
";
pub(super) const P256_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAQIDBAUGBwgJCgsM\n\
DQ4PEBESExQVFhcYGRobHB0eHyChRANCAARRXD1uueOWuQTT/sp/VP3NDMHpl783\n\
XcpRWtCmw7QDX0U2vjpQ8xj7+aVHWQKiIVAr7w1X4IxTsswKVvF9n5NU\n\
-----END PRIVATE KEY-----\n\
";
pub(super) const P384_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDABAgMEBQYHCAkKCwwN\n\
Dg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0uLzChZANiAATHbyKD3alc\n\
1JsO2ecz0pBEdONyFvEk4T0smrTPAQIcSa2cq7PQuXSZrvLwqzE/oCgmvB+DRRtc\n\
iWKnXK/3NYjUQApilkNhVPs0PDk+kQSKbHvLrcg82KXyb+rogxVvkqE=\n\
-----END PRIVATE KEY-----\n\
";
/// A key that is shorter than what is accepted.
pub(super) const RSA_1024_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBALpLo4qJVKpA+a54\n\
Afgd7VM5qOczqyJMy6GfU6CCWWVWP5UA+JIluKbZYlolBHqTR9NdN9ISm8oqohQ/\n\
eZvi4lpd1ScQEnvHclEOUAP00VTrt9CVY7AuAdmGIu5D7RcjBzKYp9uAGFEPOPd2\n\
OUclo16Rk8aK32tiOcOLrK85o3dlAgMBAAECgYA57HTACW0qtqMrbSLnm56D5wSu\n\
RnFqa8hQy3I8EOtsx8FjOfcPsezU6/hZoPLgjdSiUnSdu6120YStmQLdxlCsUlPc\n\
GrjjLQyv1Gvg45gSfYfM+xm5J1B6bQRcI79l8Cb180Uo2spoXQR3Q0FiYY5e4sg8\n\
L4yFiqnfyALrB8Dr4QJBAOU+NI7ILQpji+k4KxkxShOziJZtmeMEHBZ5TIPLnmgs\n\
rufXcdSSGwr0M1OXAKRKqzsHxNzRRERqTds8ubFr98kCQQDQCiioWWwf5Nxfc+s0\n\
7/Sph39M4cG0XPwYWedmQnD762kd3HWUnke2ffmyFbKszj+quzTz9eRkG9aaYVKN\n\
1Ui9AkEAtDETKvBZxwK8ZROLfP/rVFUYlfWMso72bQvnguk4mHYW/ZGxnf9CVnfh\n\
KGFXVcyDj6DpsxCi8owEqsGuzLErUQJAfbi1607m9btDpfeSe5JLQ6wbtSV0/v92\n\
ZWznVzftuYABLUeOUvr4EYO9wu4z5RRbC11I2emOVSUxomgQEKCE7QJAOYQ1UngY\n\
OVH4uWJEVXe2Dmj+Xw9SkNJ1CNZQ07THc4hmm5XiFKY9aH5CiYE5hxAVFKKHPa9l\n\
B6092Ny6qJ4vJw==\n\
-----END PRIVATE KEY-----\n\
";

const HS256_SECRET: &str = "0123456789abcdef0123456789abcdef";
const HS256_KID: &str = "LPKWLNSE3LIziIkYMDc8PA";
const HS256_TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6IkxQS1dMTlNFM0xJemlJa1lNRGM4UEEifQ.eyJzdWIiOiIwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTkiLCJjbGllbnRfaWQiOiIwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTciLCJhdWQiOiIwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTciLCJpZGVudGlmaWVyIjoiYWxpY2VAZXhhbXBsZS5jb20iLCJqdGkiOiIwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNWMiLCJpc3MiOiJib3NhLWF1dGgiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.ItyZ5xE3SXiXancmImuDK6emvEXLOnNsbkbWKfwRahg";
const EDDSA_KID: &str = "5WkKnUlLYt_ACiwrcuiA5Q";
const EDDSA_TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSIsImtpZCI6IjVXa0tuVWxMWXRfQUNpd3JjdWlBNVEifQ.eyJzdWIiOiIwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTkiLCJjbGllbnRfaWQiOiIwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTciLCJhdWQiOiIwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTciLCJpZGVudGlmaWVyIjoiYWxpY2VAZXhhbXBsZS5jb20iLCJqdGkiOiIwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNWMiLCJpc3MiOiJib3NhLWF1dGgiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.hAGY5jLTrNXkHGFv3FCcHfDKQtUDGfBcyVm6ms4quK9SCkwugH6QQQ_U4DdzwYUzYpc4iIYAVRL0sgz-KOZ1Ag";
const IMPORTED_SECRET: &str = "short";
const IMPORTED_TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTkiLCJjbGllbnRfaWQiOiIwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTkiLCJpZGVudGlmaWVyIjoiYWxpY2VAZXhhbXBsZS5jb20iLCJqdGkiOiIwMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNWMifQ.3RRdR3M-V5lOPLlDP7GQGpwyMX7SaD3-8XmRvqhtTFM";

#[test]
fn a_token_has_the_documented_text() {
    let claims = Claims {
        sub: "01890a5d-ac96-774b-bcce-b302099a8059".parse().unwrap(),
        client_id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
        aud: "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
        identifier: "alice@example.com".to_owned(),
        jti: "01890a5d-ac96-774b-bcce-b302099a805c".parse().unwrap(),
        iss: "bosa-auth".to_owned(),
        iat: 1_700_000_000,
        exp: 1_700_003_600,
    };
    for (algorithm, key, kid, text) in [
        (Algorithm::HS256, HS256_SECRET, HS256_KID, HS256_TOKEN),
        (Algorithm::EdDSA, ED25519_PEM, EDDSA_KID, EDDSA_TOKEN),
    ] {
        let key = SigningKey::from_configured(algorithm, &Secret::from(key)).unwrap();
        assert_eq!(key.kid(), kid);
        assert_eq!(issue(&key, &claims).unwrap().expose(), text);
        let verified = verify(text, &key).unwrap();
        assert_eq!(verified.sub, claims.sub);
        assert_eq!(verified.client_id, Some(claims.client_id));
        assert_eq!(verified.jti, claims.jti);
        assert_eq!(verified.exp, Some(claims.exp));
    }
}

#[test]
fn an_imported_token_is_verified_without_its_client() {
    let secret = Secret::from(IMPORTED_SECRET);
    let key = SigningKey::from_configured_imported_only(Algorithm::HS256, &secret).unwrap();
    let verified = verify(IMPORTED_TOKEN, &key).unwrap();
    assert_eq!(
        verified.sub.to_string(),
        "01890a5d-ac96-774b-bcce-b302099a8059"
    );
    assert_eq!(
        verified.jti.to_string(),
        "01890a5d-ac96-774b-bcce-b302099a805c"
    );
    assert_eq!((verified.client_id, verified.exp), (None, None));
}

#[test]
fn the_documentation_shows_these_vectors() {
    let text = include_str!("../../../../docs/formats.md");
    for vector in [
        HS256_SECRET,
        HS256_KID,
        HS256_TOKEN,
        EDDSA_KID,
        EDDSA_TOKEN,
        IMPORTED_TOKEN,
    ] {
        assert!(text.contains(&format!("| `{vector}` |")), "{vector}");
    }
}

fn verify(text: &str, key: &SigningKey) -> Result<VerifiedClaims, TokenError> {
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    ParsedToken::parse(text)?.verify(key, "bosa-auth", now)
}
