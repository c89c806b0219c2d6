//! Values of settings: numbers and flags.

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

pub(super) fn flag(configuration: &Configuration, variable: &'static str) -> Result<bool, String> {
    match configuration.get(variable).unwrap_or_default() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{variable}: use true or false")),
    }
}
