//! Values of settings: numbers and flags.

use bosa_auth_core::Timestamp;

use super::Configuration;

const TEN_YEARS_IN_MINUTES: i64 = 10 * 366 * 24 * 60;

pub(super) fn minutes(
    configuration: &Configuration,
    variable: &'static str,
) -> Result<Option<i64>, String> {
    let Some(text) = configuration.get(variable) else {
        return Ok(None);
    };
    match text.trim().parse::<i64>() {
        Ok(minutes) if (1..=TEN_YEARS_IN_MINUTES).contains(&minutes) => Ok(Some(minutes)),
        _ => Err(format!(
            "{variable}: use a number of minutes between 1 and {TEN_YEARS_IN_MINUTES} (10 years)"
        )),
    }
}

pub(super) fn number(
    configuration: &Configuration,
    variable: &'static str,
    least: u32,
    most: u32,
) -> Result<u32, String> {
    match configuration
        .get(variable)
        .unwrap_or_default()
        .trim()
        .parse::<u32>()
    {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!(
            "{variable}: use a number between {least} and {most}"
        )),
    }
}

/// A moment, or the beginning of a day in UTC.
pub(super) fn moment(
    configuration: &Configuration,
    variable: &'static str,
) -> Result<Option<Timestamp>, String> {
    let Some(text) = configuration.get(variable).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let day = || format!("{text}T00:00:00Z").parse().ok();
    match text.parse().ok().or_else(day) {
        Some(moment) => Ok(Some(moment)),
        None => Err(format!(
            "{variable}: use a date such as 2027-03-31 or a time such as 2027-03-31T12:00:00Z"
        )),
    }
}

pub(super) fn flag(configuration: &Configuration, variable: &'static str) -> Result<bool, String> {
    match configuration.get(variable).unwrap_or_default() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{variable}: use true or false")),
    }
}
