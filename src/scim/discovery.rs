//! The discovery documents (RFC 7644 §4, RFC 7643 §5–§7, RFC 9865 §4).

use super::LIST_URN;
use super::schema::{ResourceType, Schema};
use super::types::Types;
use serde_json::{Map, Value, json};

const SPC_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// What `/ServiceProviderConfig` announces of the configured limits.
#[derive(Debug, Clone, Copy)]
pub struct Announced {
    pub page_default: i64,
    pub page_max: i64,
    /// Seconds that a cursor stays valid.
    pub cursor_seconds: i64,
    /// Operations of the largest bulk request.
    pub bulk_operations: usize,
    /// Bytes of the largest bulk request.
    pub bulk_bytes: usize,
    /// Whether a password can be set.
    pub passwords: bool,
}

/// `/ServiceProviderConfig`.
///
/// One client takes `bulk.maxOperations` for the number of operations in its PATCHes.
#[must_use]
pub fn service_provider_config(base: &str, a: Announced) -> Value {
    json!({
        "schemas": [SPC_URN],
        "documentationUri": "https://datatracker.ietf.org/doc/html/rfc7644",
        "patch": {"supported": true},
        "bulk": {"supported": true, "maxOperations": a.bulk_operations, "maxPayloadSize": a.bulk_bytes},
        "filter": {"supported": true, "maxResults": a.page_max},
        "changePassword": {"supported": a.passwords},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "pagination": {
            "cursor": true, "index": true, "defaultPaginationMethod": "index",
            "defaultPageSize": a.page_default, "maxPageSize": a.page_max, "cursorTimeout": a.cursor_seconds
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token that the operator issued for this tenant, in the Authorization header",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")}
    })
}

/// One resource type, as `/ResourceTypes/{name}` serves it.
#[must_use]
pub fn resource_type(base: &str, rt: &ResourceType) -> Value {
    let extensions: Vec<Value> = rt.extensions.iter().map(|e| json!({"schema": e.id, "required": rt.required.contains(&e.id)})).collect();
    json!({
        "schemas": [RESOURCE_TYPE_URN],
        "id": rt.name,
        "name": rt.name,
        "description": rt.description,
        "endpoint": rt.endpoint,
        "schema": rt.schema.id,
        "schemaExtensions": extensions,
        "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", rt.name)}
    })
}

/// One schema, as `/Schemas/{urn}` serves it.
#[must_use]
pub fn schema(base: &str, schema: &Schema) -> Value {
    let mut out = Map::new();
    out.insert("schemas".to_owned(), json!([SCHEMA_URN]));
    out.extend(schema.document.as_object().cloned().unwrap_or_default());
    out.insert("meta".to_owned(), json!({"resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.id)}));
    Value::Object(out)
}

/// All resource types, or the one of that name.
#[must_use]
pub fn resource_types_answer(types: &Types, base: &str, name: Option<&str>) -> Option<Value> {
    match name {
        None => Some(list(&types.all().iter().map(|rt| resource_type(base, rt)).collect::<Vec<_>>())),
        Some(name) => types.all().iter().find(|rt| rt.name == name).map(|rt| resource_type(base, rt)),
    }
}

/// All schemas, or the one of that URN.
#[must_use]
pub fn schemas_answer(types: &Types, base: &str, urn: Option<&str>) -> Option<Value> {
    match urn {
        None => Some(list(&types.schemas().map(|s| schema(base, s)).collect::<Vec<_>>())),
        Some(urn) => types.schemas().find(|s| s.id.eq_ignore_ascii_case(urn)).map(|s| schema(base, s)),
    }
}

fn list(items: &[Value]) -> Value {
    json!({"schemas": [LIST_URN], "totalResults": items.len(), "startIndex": 1, "itemsPerPage": items.len(), "Resources": items})
}
