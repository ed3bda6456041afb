//! The API's description, OpenAPI 3.1, made from the table that the server itself runs.

use http::{Method, StatusCode};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::auth::Access;
use crate::problem::ProblemView;
use crate::routes;

/// Makes the schema of one type.
type Make = fn(&mut SchemaGenerator) -> Schema;

/// One route of the table.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) doc: Doc,
}

/// What people are told about a route.
pub(crate) struct Doc {
    summary: &'static str,
    body: Option<Make>,
    query: Option<Make>,
    answer: Answer,
    status: StatusCode,
    ranges: bool,
    problems: &'static [u16],
}

enum Answer {
    Nothing,
    Json(Make),
    Media(&'static str),
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A description that begins with its summary: no body, no query, no content, 204.
pub(crate) const fn doc(summary: &'static str) -> Doc {
    Doc {
        summary,
        body: None,
        query: None,
        answer: Answer::Nothing,
        status: StatusCode::NO_CONTENT,
        ranges: false,
        problems: &[],
    }
}

impl Doc {
    pub(crate) fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some(schema::<T>);
        self
    }

    pub(crate) fn asks<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema::<T>);
        self
    }

    pub(crate) fn answers<T: JsonSchema>(mut self, status: StatusCode) -> Self {
        self.answer = Answer::Json(schema::<T>);
        self.status = status;
        self
    }

    pub(crate) const fn sends(mut self, media_type: &'static str) -> Self {
        self.answer = Answer::Media(media_type);
        self.status = StatusCode::OK;
        self
    }

    /// Answers single byte ranges.
    pub(crate) const fn ranges(mut self) -> Self {
        self.ranges = true;
        self
    }

    pub(crate) const fn upgrades(mut self) -> Self {
        self.status = StatusCode::SWITCHING_PROTOCOLS;
        self
    }

    /// Statuses of its own, besides those that follow from access, body and path.
    pub(crate) const fn fails(mut self, statuses: &'static [u16]) -> Self {
        self.problems = statuses;
        self
    }
}

/// The whole description.
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| {
        s.definitions_path = "/components/schemas".into();
        s.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = schema::<ProblemView>(&mut generator).to_value();
    let mut paths = Map::new();
    for endpoint in routes::endpoints() {
        let operation = operation(&endpoint, &mut generator);
        let at = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        at[endpoint.method.as_str().to_ascii_lowercase()] = operation;
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "khien",
            "version": "1",
            "description": "Times are RFC 3339 in UTC; fields that end in _us are microseconds \
                            since 1970 UTC. Errors are application/problem+json. A request that \
                            changes something carries an Origin header that names this server.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Problem": {
                "description": "What went wrong",
                "content": { "application/problem+json": { "schema": problem } },
            } },
            "securitySchemes": {
                "session": { "type": "apiKey", "in": "cookie", "name": "__Host-khien" },
                "metrics": { "type": "http", "scheme": "bearer" },
            },
        },
    })
}

fn operation(e: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = e
        .path
        .split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}'))
        .map(|(name, _)| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    if let Some(make) = e.doc.query {
        parameters.extend(query(make, generator));
    }
    let mut responses = Map::new();
    let success = match &e.doc.answer {
        Answer::Nothing => json!({ "description": phrase(e.doc.status) }),
        Answer::Json(make) => json!({
            "description": phrase(e.doc.status),
            "content": { "application/json": { "schema": make(generator).to_value() } },
        }),
        Answer::Media(kind) => json!({ "description": "OK", "content": { *kind: {} } }),
    };
    if e.doc.ranges {
        responses.insert("206".to_owned(), success.clone());
    }
    responses.insert(e.doc.status.as_str().to_owned(), success);
    for status in problems(e) {
        let reference = json!({ "$ref": "#/components/responses/Problem" });
        responses.insert(status.to_string(), reference);
    }
    let mut operation = json!({
        "operationId": operation_id(e),
        "summary": e.doc.summary,
        "x-access": e.access.word(),
        "security": match e.access {
            Access::Public | Access::SetupToken => json!([]),
            Access::Viewer | Access::Owner => json!([{ "session": [] }]),
            Access::Collector => json!([{ "session": [] }, { "metrics": [] }]),
        },
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(make) = e.doc.body {
        let content = json!({ "application/json": { "schema": make(generator).to_value() } });
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

/// The statuses of refusals, in order: what follows from the shape of the route and its own.
fn problems(e: &Endpoint) -> Vec<u16> {
    let mut all = vec![421, 503];
    all.extend(e.doc.problems);
    match e.access {
        Access::Public => {}
        Access::SetupToken | Access::Viewer => all.push(401),
        Access::Owner | Access::Collector => all.extend([401, 403]),
    }
    if e.method != Method::GET || e.doc.status == StatusCode::SWITCHING_PROTOCOLS {
        all.push(403);
    }
    if e.doc.body.is_some() {
        all.extend([400, 413, 415, 422]);
    }
    if e.doc.query.is_some() {
        all.push(422);
    }
    if e.path.contains('{') {
        all.push(404);
    }
    if e.doc.ranges {
        all.push(416);
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn phrase(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Answer")
}

/// `get_cameras_id_timeline`.
fn operation_id(e: &Endpoint) -> String {
    let words = e.path.trim_start_matches("/api/v1").split(|c: char| !c.is_ascii_alphanumeric());
    let mut id = e.method.as_str().to_ascii_lowercase();
    for word in words.filter(|w| !w.is_empty()) {
        id.push('_');
        id.push_str(word);
    }
    id
}

/// A struct's fields as query parameters.
fn query(make: Make, generator: &mut SchemaGenerator) -> Vec<Value> {
    let reference = make(generator).to_value();
    let name = reference["$ref"].as_str().and_then(|r| r.rsplit('/').next()).unwrap_or_default();
    let Some(schema) = generator.definitions_mut().remove(name) else { return Vec::new() };
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields
        .map(|(name, schema)| {
            let required = required.contains(&name.as_str());
            json!({ "name": name, "in": "query", "required": required, "schema": schema })
        })
        .collect()
}
