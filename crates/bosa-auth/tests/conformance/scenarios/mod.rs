//! Behaviour that calls and their results say completely is kept as data in `tests/scenarios`, where
//! the tests of the Python package find it too. This runs it here.

mod arguments;
mod call;
mod coverage;
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
    api_keys:
        several_keys_open_the_same_client
        an_expiry_must_lie_ahead
        a_revoked_key_is_refused_at_once_and_only_the_first_revocation_is_true
        rotation_without_overlap_ends_the_old_key_at_once
        rotation_keeps_the_scopes_and_both_keys_work_during_the_overlap
        a_key_needs_at_least_one_scope
        a_list_of_keys_is_walked_page_by_page;
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
    hostile:
        a_hostile_text_is_nobody_s_key_or_name_or_credential
        an_odd_name_is_kept_exactly;
    integrations:
        what_was_stored_comes_back_exactly
        id_and_selection_and_age_are_not_the_caller_s_to_say
        a_malformed_field_of_an_integration_is_named_and_nothing_is_written
        an_empty_or_malformed_connector_is_an_error_and_never_a_wildcard
        an_account_is_stored_once
        unknown_and_foreign_ids_give_nothing
        the_first_account_is_the_default_until_another_is_selected
        only_the_deletion_of_the_default_promotes_the_newest_one_left
        a_deletion_without_a_name_needs_a_single_account
        integrations_are_listed_all_or_at_one_connector
        an_update_replaces_only_what_is_given;
    isolation:
        a_second_client_learns_nothing_and_changes_nothing
        the_keys_of_another_client_are_not_found
        lists_show_only_what_is_the_client_s_own
        a_token_in_any_state_is_unknown_to_a_second_client;
    scopes:
        a_key_without_the_scope_is_denied_every_operation_that_needs_one
        a_key_with_one_scope_can_do_what_that_scope_permits_and_no_more;
    tokens:
        a_token_speaks_for_its_user_and_lasts_thirty_days
        a_token_needs_a_user_of_this_client
        only_the_first_revocation_of_a_live_token_is_true
        signing_out_ends_all_tokens_of_one_user_for_good
        a_list_of_tokens_shows_states_and_no_text_and_the_newest_first
        what_is_no_token_of_this_client_is_an_invalid_one
        any_changed_character_of_a_token_is_refused;
    tour:
        a_client_a_user_a_token_and_an_integration_work_together;
    users:
        a_generated_secret_is_in_the_result_of_the_creation_and_nowhere_else
        an_identifier_is_unique_in_its_client_after_normalization
        an_identifier_has_1_to_320_characters_without_control_characters
        an_unknown_user_is_unauthorized_to_getters_and_not_found_to_finders
        a_chosen_secret_has_15_to_256_characters_and_is_never_shown
        a_reset_secret_replaces_the_old_one_and_ends_all_tokens
        a_reset_turns_a_chosen_secret_into_a_generated_one
        a_changed_secret_needs_the_current_one_and_ends_all_tokens
        a_changed_identifier_ends_all_tokens_and_leaves_the_secret_valid
        a_suspended_user_is_refused_and_its_tokens_stay_ended_after_it_resumes
        suspending_and_resuming_again_ends_nothing_again
        a_deleted_user_is_gone_with_tokens_and_integrations
        a_complete_user_has_its_integrations_without_credentials
        a_list_of_users_is_walked_page_by_page
        unknown_and_suspended_and_wrong_are_one_refusal_of_a_login
        a_client_key_that_is_not_valid_is_refused_by_every_method_that_takes_one;
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
