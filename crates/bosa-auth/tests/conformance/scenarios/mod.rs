//! Behaviour that calls and their results say completely is kept as data in `tests/scenarios`, where
//! the tests of the Python package find it too. This runs it here.

mod arguments;
mod call;
mod expectation;
mod file;
mod plain;
mod run;
mod text;

use bosa_auth_testkit::on_every_database;
use run::run;

/// A scenario's name as the name of its test.
fn test_name(name: &str) -> String {
    name.replace(|character: char| !character.is_alphanumeric(), "_")
}

/// Makes a test of each scenario of each file, on every database.
macro_rules! scenarios {
    ($($file:ident: $($name:ident)*;)*) => {
        $(
            mod $file {
                use super::*;

                on_every_database! {
                    $(
                        async fn $name(db: TestDatabase) {
                            run(stringify!($file), stringify!($name), &db).await;
                        }
                    )*
                }
            }
        )*

        const LISTED: &[(&str, &[&str])] =
            &[$((stringify!($file), &[$(stringify!($name)),*])),*];
    };
}

scenarios! {
    clients:
        a_client_key_is_in_the_result_of_the_creation_and_nowhere_else
        a_second_client_of_the_same_name_is_refused_and_leaves_nothing
        a_client_name_has_1_to_200_characters_after_trimming
        every_wrong_client_key_is_refused_with_one_message
        any_changed_character_of_a_client_key_is_refused
        a_rename_leaves_keys_valid_and_frees_the_old_name
        a_suspended_client_is_refused_everywhere_and_resumes_with_its_tokens
        signing_out_a_client_ends_the_tokens_of_its_users_only
        the_flag_of_the_original_is_kept_and_limits_nothing
        a_deleted_client_is_gone_with_everything_and_its_name_is_free
        an_unknown_client_is_not_found
        a_list_of_clients_is_walked_page_by_page;
}

#[test]
fn every_scenario_is_listed_in_its_order() {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(file::directory()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        files.extend(name.strip_suffix(".toml").map(str::to_owned));
    }
    files.retain(|file| file != "given");
    files.sort();
    let listed: Vec<_> = LISTED.iter().map(|(file, _)| *file).collect();
    assert_eq!(listed, files);
    for (file, names) in LISTED {
        let scenarios = file::scenarios(file);
        let expected: Vec<_> = scenarios.iter().map(|one| test_name(&one.name)).collect();
        assert_eq!(*names, expected, "{file}.toml");
    }
}
