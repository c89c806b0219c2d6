//! The OpenAPI 3.1 document, made from the table of routes and the types that they carry.

use http::Method;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AnyOf, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, Content, HttpMethod, Info, License, OpenApi, OpenApiBuilder, Paths, Ref,
    RefOr, Required, ResponseBuilder, ResponsesBuilder,
};
use utoipa::{PartialSchema as _, ToSchema};

use crate::envelope::{PageMeta, ReplayMeta};
use crate::idempotency;
use crate::problem::{PROBLEM_JSON, ProblemBody};
use crate::request_id;
use crate::route::{Answer, Caller, Route, Schemas};
use crate::routes::routes;

const JSON: &str = "application/json";
const HTML: &str = "text/html";
const CLIENT_KEY: &str = "client_key";
const MASTER_KEY: &str = "master_key";
const USER_TOKEN: &str = "user_token";
const PROBLEM: &str = "Problem";

/// The document could not be written as JSON.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the OpenAPI document: {0}")]
pub struct OpenApiError(#[from] serde_json::Error);

/// The OpenAPI document of the API as JSON text, the same for the same version.
///
/// # Errors
/// [`OpenApiError`]: a schema cannot be written as JSON.
pub fn openapi_json() -> Result<String, OpenApiError> {
    let mut text = document().to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

fn document() -> OpenApi {
    let mut schemas = Schemas::new();
    let mut paths = Paths::new();
    for route in routes() {
        let operation = operation(route, &mut schemas);
        paths.add_path_operation(route.path, vec![http_method(&route.method)], operation);
    }
    ProblemBody::schemas(&mut schemas);
    schemas.push((PROBLEM.to_owned(), ProblemBody::schema()));
    schemas.push((PageMeta::name().into_owned(), PageMeta::schema()));
    schemas.push((ReplayMeta::name().into_owned(), ReplayMeta::schema()));
    let problem = || Content::new(Some(Ref::from_schema_name(PROBLEM)));
    let refusals = REFUSALS.iter().map(|refusal| {
        let response = ResponseBuilder::new()
            .description(refusal.description)
            .content(JSON, problem())
            .content(PROBLEM_JSON, problem());
        (refusal.name, response.build())
    });
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .responses_from_iter(refusals)
        .security_scheme(CLIENT_KEY, header_key("A client's API key, `sk-client-…`."))
        .security_scheme(MASTER_KEY, header_key("One of the server's master keys."))
        .security_scheme(USER_TOKEN, bearer())
        .build();
    let mut info = Info::new("BOSA Auth", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Clients with API keys, their users with secrets, tokens, and an encrypted store of the \
         users' accounts at third parties. Success is 200 with `{\"data\": …, \"meta\": …}`, but for \
         the answers described as bare. Scopes `users:credentials` and `tokens:issue` count as access \
         to credentials."
            .to_owned(),
    );
    info.license = Some(License::new("MIT OR Apache-2.0"));
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components))
        .build()
}

fn operation(route: &Route, schemas: &mut Schemas) -> utoipa::openapi::path::Operation {
    let mut operation = OperationBuilder::new()
        .summary(Some(route.summary))
        .operation_id(Some(operation_id(route)))
        .tag(tag(route.path));
    if let Some(scope) = route.scope {
        let text = format!("A client key needs the scope `{}`.", scope.as_str());
        operation = operation.description(Some(text));
    }
    for requirement in security(route.caller) {
        operation = operation.security(requirement);
    }
    for parameter in parameters(route) {
        operation = operation.parameter(parameter);
    }
    if let Some(body) = route.body {
        let content = Content::new(Some((body.schema)(schemas)));
        let required = if body.required {
            Required::True
        } else {
            Required::False
        };
        let body = RequestBodyBuilder::new()
            .content(JSON, content)
            .required(Some(required))
            .build();
        operation = operation.request_body(Some(body));
    }
    let status = match route.answer {
        Answer::Redirection(_) => "303",
        _ => "200",
    };
    let mut responses = ResponsesBuilder::new().response(status, success(route, schemas));
    if route.caller == Caller::Browser {
        let refused = ResponseBuilder::new()
            .description("A page that says why it is not done.")
            .content(HTML, Content::new(Some(Schema::default())));
        responses = responses.response("4XX", refused.build());
        return operation.responses(responses.build()).build();
    }
    for refusal in REFUSALS.iter().filter(|refusal| (refusal.given_by)(route)) {
        responses = responses.response(refusal.status, Ref::from_response_name(refusal.name));
    }
    operation.responses(responses.build()).build()
}

fn success(route: &Route, schemas: &mut Schemas) -> utoipa::openapi::Response {
    let (description, schema) = match route.answer {
        Answer::Data(of) => {
            let meta = if route.creates { replay_meta() } else { null() };
            ("Done.", envelope(of(schemas), meta))
        }
        Answer::List(of) => {
            let items = ArrayBuilder::new().items(of(schemas)).build();
            let meta = Ref::from_schema_name(PageMeta::name()).into();
            ("One page.", envelope(Schema::from(items).into(), meta))
        }
        Answer::Bare(description)
        | Answer::Page(description)
        | Answer::Redirection(description) => (description, Schema::default().into()),
    };
    let media_type = match route.answer {
        Answer::Page(_) | Answer::Redirection(_) => HTML,
        _ => JSON,
    };
    let request_id: Header = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
        .description(Some("The id under which the request is logged."))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content(media_type, Content::new(Some(schema)))
        .header(request_id::HEADER.as_str(), request_id)
        .build()
}

fn envelope(data: RefOr<Schema>, meta: RefOr<Schema>) -> RefOr<Schema> {
    let object = ObjectBuilder::new()
        .property("data", data)
        .required("data")
        .property("meta", meta)
        .required("meta")
        .build();
    Schema::from(object).into()
}

fn null() -> RefOr<Schema> {
    Schema::from(ObjectBuilder::new().schema_type(Type::Null).build()).into()
}

fn replay_meta() -> RefOr<Schema> {
    let mut either = AnyOf::new();
    either.items = vec![null(), Ref::from_schema_name(ReplayMeta::name()).into()];
    Schema::AnyOf(either).into()
}

/// A refusal that several routes can give.
struct Refusal {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    given_by: fn(&Route) -> bool,
}

const REFUSALS: &[Refusal] = &[
    Refusal {
        status: "400",
        name: "Malformed",
        description: "A part of the request is malformed; the details name it.",
        given_by: |_| true,
    },
    Refusal {
        status: "401",
        name: "NotAuthenticated",
        description: "The credential is missing or not accepted.",
        given_by: |route| route.caller != Caller::Anyone,
    },
    Refusal {
        status: "403",
        name: "NotPermitted",
        description: "The client key lacks the scope that the details name.",
        given_by: |route| route.scope.is_some(),
    },
    Refusal {
        status: "404",
        name: "NotFound",
        description: "There is no such thing, or it belongs to somebody else.",
        given_by: |route| route.path.contains('{'),
    },
    Refusal {
        status: "409",
        name: "Conflict",
        description: "Something of this name exists, an account must be named or connected again, \
                      or a request with this idempotency key is in progress.",
        given_by: |route| route.body.is_some() || route.path.contains("/integrations"),
    },
    Refusal {
        status: "413",
        name: "TooLarge",
        description: "The body is longer than the server accepts (1 MiB).",
        given_by: |route| route.body.is_some(),
    },
    Refusal {
        status: "415",
        name: "NotJson",
        description: "The body is not sent as JSON.",
        given_by: |route| route.body.is_some(),
    },
    Refusal {
        status: "422",
        name: "OtherRequest",
        description: "The idempotency key was used with another request.",
        given_by: |route| route.creates,
    },
    Refusal {
        status: "429",
        name: "TooManyAttempts",
        description: "Too many attempts; Retry-After says when to try again.",
        given_by: |route| {
            route.path.ends_with("-token")
                || route.path == "/auth/tokens"
                || route.path.ends_with("/me/secret")
        },
    },
    Refusal {
        status: "503",
        name: "Unavailable",
        description: "The database does not answer or the server has too much to do; Retry-After \
                      says when to try again.",
        given_by: |_| true,
    },
];

fn parameters(route: &Route) -> Vec<Parameter> {
    let string = || Schema::from(ObjectBuilder::new().schema_type(Type::String).build());
    let mut parameters = Vec::new();
    for name in route
        .path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
    {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(string()));
        parameters.push(parameter.build());
    }
    for (name, description) in route.query {
        let kind = if *name == "limit" {
            Type::Integer
        } else {
            Type::String
        };
        let schema = Schema::from(ObjectBuilder::new().schema_type(kind).build());
        let parameter = ParameterBuilder::new()
            .name(*name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(*description))
            .schema(Some(schema));
        parameters.push(parameter.build());
    }
    let name = idempotency::HEADER;
    let idempotency = (
        name.as_str(),
        "1 to 255 visible ASCII characters; a repeat is answered from it.",
    );
    let headers = route.headers.iter().copied();
    for (name, description) in headers.chain(route.creates.then_some(idempotency)) {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(string()));
        parameters.push(parameter.build());
    }
    parameters
}

fn security(caller: Caller) -> Vec<SecurityRequirement> {
    let none: [&str; 0] = [];
    let client = || SecurityRequirement::new(CLIENT_KEY, none);
    let user = || SecurityRequirement::new(USER_TOKEN, none);
    let both = || user().add(CLIENT_KEY, none);
    match caller {
        Caller::Anyone | Caller::Browser => Vec::new(),
        Caller::MasterKey => vec![SecurityRequirement::new(MASTER_KEY, none)],
        Caller::Client => vec![client()],
        Caller::ClientOrMasterKey => {
            vec![client(), SecurityRequirement::new(MASTER_KEY, none)]
        }
        Caller::MaybeClient => vec![client(), SecurityRequirement::default()],
        Caller::User => vec![both(), user()],
        Caller::MaybeUser => vec![both(), user(), SecurityRequirement::default()],
    }
}

fn header_key(description: &str) -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
        "x-api-key",
        description,
    )))
}

fn bearer() -> SecurityScheme {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "A user's token; a client key beside it must be of the user's client.",
        ));
    SecurityScheme::Http(bearer.build())
}

/// `post_users_id_secret` for `POST /users/{id}/secret`.
fn operation_id(route: &Route) -> String {
    let mut id = route.method.as_str().to_ascii_lowercase();
    let words = route.path.split(|c: char| !c.is_ascii_alphanumeric());
    for word in words.filter(|word| !word.is_empty()) {
        id.push('_');
        id.push_str(word);
    }
    if route.path.ends_with('/') {
        id.push_str("_slash");
    }
    id
}

fn tag(path: &str) -> &str {
    match path.split('/').nth(1) {
        Some(first @ ("clients" | "users" | "connectors")) => first,
        Some("connect") => "connectors",
        Some("auth") => "tokens",
        _ => "server",
    }
}

fn http_method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}
