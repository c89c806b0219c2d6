//! Every statement of the table modules, for the tests that prepare them on both databases.

/// Lists the statements by name.
#[doc(hidden)]
pub fn statements() -> Vec<(&'static str, &'static str)> {
    [
        crate::accounts::STATEMENTS,
        crate::api_keys::STATEMENTS,
        crate::archive::STATEMENTS,
        crate::audit::STATEMENTS,
        crate::changes::STATEMENTS,
        crate::clients::STATEMENTS,
        crate::connect_states::STATEMENTS,
        crate::connector_keys::STATEMENTS,
        crate::connector_settings::STATEMENTS,
        crate::counts::STATEMENTS,
        crate::data_keys::STATEMENTS,
        crate::digest_key_end::STATEMENTS,
        crate::digest_keys::STATEMENTS,
        crate::grant_changes::STATEMENTS,
        crate::grants::STATEMENTS,
        crate::idempotency::STATEMENTS,
        crate::import_markers::STATEMENTS,
        crate::instance::STATEMENTS,
        crate::integrations::STATEMENTS,
        crate::leases::STATEMENTS,
        crate::nodes::STATEMENTS,
        crate::rekey::STATEMENTS,
        crate::root_keys::STATEMENTS,
        crate::shared_connector_settings::STATEMENTS,
        crate::signing_keys::STATEMENTS,
        crate::tokens::STATEMENTS,
        crate::users::STATEMENTS,
    ]
    .concat()
}
