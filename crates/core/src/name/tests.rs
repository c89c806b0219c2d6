use proptest::prelude::*;

use super::*;

#[test]
fn client_names_are_trimmed_and_bounded() {
    assert_eq!(
        ClientName::parse("  Acme GmbH\n").unwrap().as_str(),
        "Acme GmbH"
    );
    assert!(ClientName::parse(&"ü".repeat(200)).is_ok());
    for bad in [
        "",
        " ",
        "\u{2003}\n",
        "a\0b",
        "a\nb",
        "a\u{7f}b",
        "a\u{85}b",
    ] {
        assert!(ClientName::parse(bad).is_err(), "{bad:?}");
    }
    assert_eq!(
        ClientName::parse(&"a".repeat(201)).unwrap_err().to_string(),
        "name is too long"
    );
}

#[test]
fn identifiers_are_bounded_and_never_trimmed() {
    assert_eq!(Identifier::parse(" a ").unwrap().as_str(), " a ");
    assert!(Identifier::parse(&"🦀".repeat(320)).is_ok());
    for bad in ["", "a\0", "\ta", "a\u{1b}[31m", "a\r\nb", "\u{9f}"] {
        assert!(Identifier::parse(bad).is_err(), "{bad:?}");
    }
    for long in [321, 5121, 1 << 20] {
        let error = Identifier::parse(&"a".repeat(long)).unwrap_err();
        assert_eq!(error.field, "identifier");
        assert_eq!(error.reason, "is too long");
    }
}

#[test]
fn identifiers_that_are_equal_under_nfc_are_one_identifier() {
    let pairs = [
        ("Zo\u{e9}", "Zoe\u{301}"),
        ("\u{212b}", "\u{c5}"),
        ("\u{1e69}", "s\u{307}\u{323}"),
        ("\u{ac01}", "\u{1100}\u{1161}\u{11a8}"),
    ];
    for (one, two) in pairs {
        assert_eq!(
            Identifier::parse(one),
            Identifier::parse(two),
            "{one} {two}"
        );
    }
}

#[test]
fn the_length_of_an_identifier_counts_after_normalizing() {
    assert!(Identifier::parse(&"e\u{301}".repeat(320)).is_ok());
    assert!(Identifier::parse(&"\u{1100}\u{1161}\u{11a8}".repeat(320)).is_ok());
    assert!(Identifier::parse(&"e\u{301}".repeat(321)).is_err());
}

#[test]
fn identifiers_that_only_look_alike_stay_different() {
    let pairs = [
        ("alice", "\u{430}lice"), // Cyrillic a
        ("alice", "Alice"),
        ("alice", "alice\u{200b}"), // zero-width space
        ("fi", "\u{fb01}"),         // ligature: equal under NFKC only
        ("1", "\u{ff11}"),          // full-width digit
        ("stra\u{df}e", "strasse"),
        ("a b", "a\u{a0}b"),
    ];
    for (one, two) in pairs {
        assert_ne!(
            Identifier::parse(one).unwrap(),
            Identifier::parse(two).unwrap()
        );
    }
}

#[test]
fn connector_names_have_one_narrow_form() {
    for good in ["a", "0", "google_drive", "git-hub", &"x".repeat(64)] {
        assert_eq!(ConnectorName::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        "-a",
        "_a",
        "A",
        "gitHub",
        "a b",
        "a.b",
        "a/b",
        "é",
        "a\0",
        "*",
        "%",
        " a",
        "a\n",
        &"x".repeat(65),
    ] {
        assert_eq!(
            ConnectorName::parse(bad).unwrap_err().field,
            "connector",
            "{bad:?}"
        );
    }
}

#[test]
fn account_names_are_kept_exactly() {
    let decomposed = " Zoe\u{301} ";
    assert_eq!(AccountName::parse(decomposed).unwrap().as_str(), decomposed);
    for bad in ["", "a\0b", "a\nb", &"a".repeat(321)] {
        assert_eq!(
            AccountName::parse(bad).unwrap_err().field,
            "user_identifier"
        );
    }
}

#[test]
fn chosen_secrets_have_15_to_256_characters_of_any_script() {
    for good in [
        "fifteen letters",
        &"ü".repeat(15),
        &"🦀".repeat(256),
        " surrounding blanks ",
        "Sk-not-the-prefix",
    ] {
        assert_eq!(ChosenSecret::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        "fourteen chars",
        "sk-anything at all",
        "sk-user-looks-like-one",
        "a secret with \0 NUL",
        "a secret with \n line",
        &"a".repeat(257),
        &"a".repeat(1 << 20),
    ] {
        let error = ChosenSecret::parse(bad).unwrap_err();
        assert_eq!(error.field, "secret");
        assert!(bad.is_empty() || !error.to_string().contains(bad));
    }
}

#[test]
fn debug_output_of_a_chosen_secret_shows_nothing_of_it() {
    let secret = ChosenSecret::parse("correct horse battery").unwrap();
    assert_eq!(format!("{secret:?}"), "ChosenSecret(redacted)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_accepted_name_is_accepted_again_unchanged(text in "\\PC{1,330}") {
        if let Ok(name) = Identifier::parse(&text) {
            prop_assert_eq!(Identifier::parse(name.as_str()), Ok(name.clone()));
            prop_assert!(is_nfc(name.as_str()) && name.as_str().chars().count() <= 320);
        }
        if let Ok(name) = ClientName::parse(&text) {
            prop_assert_eq!(ClientName::parse(name.as_str()), Ok(name.clone()));
            prop_assert!(name.as_str().trim() == name.as_str());
        }
    }

    #[test]
    fn no_text_makes_parsing_fail_otherwise_than_by_an_error(text in any::<String>()) {
        let _ = ConnectorName::parse(&text);
        let _ = AccountName::parse(&text);
        let _ = ChosenSecret::parse(&text);
        let _ = Identifier::parse(&text);
    }
}
