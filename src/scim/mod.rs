//! The SCIM protocol (RFC 7643, RFC 7644, RFC 9865) as pure functions over JSON.
//!
//! No I/O, no clock, no database lives here. What a request means is decided in this module; what is done about it is not.
//!
//! Reading order: [`schema`] and [`types`] (what attributes exist, [`declare`] when a tenant adds some), [`json`] and [`resource`]
//! (reading a body), [`parse`] and [`filter`] (the filter language), [`patch`], [`project`] (which attributes an answer has),
//! [`message`], [`bulk`], [`discovery`].

pub mod bulk;
pub mod declare;
pub mod dialect;
pub mod discovery;
pub mod error;
pub mod filter;
pub mod hollow;
pub mod json;
pub mod matches;
pub mod members;
pub mod message;
pub mod parse;
pub mod patch;
pub mod path;
pub mod precis;
pub mod project;
pub mod resource;
pub mod schema;
pub mod secret;
pub mod traits;
pub mod types;
pub mod value;

pub use dialect::{Dialect, Note, Quirk, Quirks, Reading};
pub use error::{Error, ScimType};
pub use filter::Filter;
pub use project::Projection;
pub use schema::{Attribute, ResourceType};
pub use types::Types;

/// URN of the error message schema (RFC 7644 §3.12).
pub const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
/// URN of a list response (RFC 7644 §3.4.2).
pub const LIST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// URN of a search request (RFC 7644 §3.4.3).
pub const SEARCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// URN of a PATCH body (RFC 7644 §3.5.2).
pub const PATCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// URN of a bulk request (RFC 7644 §3.7).
pub const BULK_REQUEST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// URN of the answer to a bulk request (RFC 7644 §3.7).
pub const BULK_RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// URN of the core User schema (RFC 7643 §4.1).
pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// URN of the core Group schema (RFC 7643 §4.2).
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// URN of the enterprise extension of User (RFC 7643 §4.3).
pub const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// URN of Rollbook's own extension of User: hire date, termination date, location, manager's e-mail.
pub const EMPLOYEE_URN: &str = "urn:ietf:params:scim:schemas:extension:rollbook:2.0:User";
