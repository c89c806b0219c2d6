//! Runs a scenario, and says where it stopped and why.

use serde_json::{Map, Value, json};

use bosa_auth::Auth;
use bosa_auth_testkit::TestDatabase;

use super::arguments::Arguments;
use super::call::call;
use super::expectation::check;
use super::file::{self, Step};
use super::text::{Saved, resolve};
use crate::support::World;

/// Runs a scenario on an empty database.
pub(super) async fn run(file: &str, test: &str, db: &TestDatabase) {
    let scenarios = file::scenarios(file);
    let scenario = scenarios
        .iter()
        .find(|scenario| super::test_name(&scenario.name) == test)
        .unwrap_or_else(|| panic!("{file}.toml has no scenario {test}"));
    let world = World::new(db).await;
    let mut saved = Saved::new();
    let beginnings = file::beginnings();
    for name in &scenario.given {
        let steps = beginnings
            .get(name)
            .unwrap_or_else(|| panic!("given.toml has no {name}"));
        run_steps(&world, steps, &mut saved)
            .await
            .unwrap_or_else(|failure| panic!("given.toml, {name}, step {failure}"));
    }
    run_steps(&world, &scenario.steps, &mut saved)
        .await
        .unwrap_or_else(|failure| panic!("{file}.toml, \"{}\", step {failure}", scenario.name));
}

/// Runs steps in turn; a failure begins with the number of its step.
async fn run_steps(world: &World, steps: &[Step], saved: &mut Saved) -> Result<(), String> {
    for (index, step) in steps.iter().enumerate() {
        let number = index + 1;
        let Some(each) = &step.each else {
            run_step(world, step, saved)
                .await
                .map_err(|failure| format!("{number}{failure}"))?;
            continue;
        };
        let outer = saved.get("each").cloned();
        for value in values(each, saved).map_err(|failure| format!("{number}: {failure}"))? {
            saved.insert("each".to_owned(), value.clone());
            run_step(world, step, saved)
                .await
                .map_err(|failure| format!("{number} with {value:.200}{failure}"))?;
        }
        match outer {
            Some(outer) => saved.insert("each".to_owned(), outer),
            None => saved.remove("each"),
        };
    }
    Ok(())
}

/// The values of `each`: those of a list, or the numbers below a number.
fn values(each: &Value, saved: &Saved) -> Result<Vec<Value>, String> {
    match resolve(each, saved)? {
        Value::Array(values) => Ok(values),
        Value::Number(count) => Ok((0..count.as_u64().unwrap_or(0)).map(Value::from).collect()),
        other => Err(format!("{other} is neither a list nor a number")),
    }
}

async fn run_step(world: &World, step: &Step, saved: &mut Saved) -> Result<(), String> {
    let Some(operation) = &step.call else {
        return Box::pin(run_steps(world, &step.steps, saved))
            .await
            .map_err(|failure| format!(", step {failure}"));
    };
    let about = |failure: String| format!(", {operation}: {failure}");
    let operation = resolve(&operation.as_str().into(), saved).map_err(about)?;
    let operation = operation.as_str().unwrap_or_default();
    let about = |failure: String| format!(", {operation}: {failure}");
    let with = resolve(&step.with, saved).map_err(about)?;
    let outcome = outcome(&world.auth, operation, with).await;
    // Nothing happens at the same time as something else.
    world.clock.advance(std::time::Duration::from_millis(1));
    let (place, expected) = match &step.error {
        Some(code) => ("the error", error(step, code)),
        None => ("the result", step.expect.clone().unwrap_or(json!({}))),
    };
    let expected = resolve(&expected, saved).map_err(about)?;
    let got = match (step.error.is_some(), outcome) {
        (true, Err(got)) | (false, Ok(got)) => got,
        (true, Ok(got)) => return Err(about(format!("expected {expected}, got {got}"))),
        (false, Err(got)) => return Err(about(format!("expected a result, got {got}"))),
    };
    check(place, &expected, &got).map_err(about)?;
    if let Some(name) = &step.save {
        saved.insert(name.clone(), got);
    }
    Ok(())
}

/// What is expected of a refusal.
fn error(step: &Step, code: &str) -> Value {
    let mut expected = Map::new();
    expected.insert("code".to_owned(), code.into());
    if let Some(message) = &step.message {
        expected.insert("message".to_owned(), message.as_str().into());
    }
    if let Some(details) = &step.details {
        expected.insert("details".to_owned(), details.clone());
    }
    Value::Object(expected)
}

/// The result or the refusal of a call, as plain data.
async fn outcome(auth: &Auth, operation: &str, with: Value) -> Result<Value, Value> {
    let mut arguments = Arguments::new(with);
    let outcome = call(auth, operation, &mut arguments).await;
    arguments.assert_all_taken(operation);
    outcome.map_err(|error| {
        json!({
            "code": error.code(),
            "message": error.to_string(),
            "details": super::plain::details(&error),
        })
    })
}
