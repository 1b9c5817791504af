//! What /Schemas says of each attribute, against the tables of RFC 7643 §3–§8 with the verified errata applied.

use crate::clients::Client;
use crate::discovery::all;
use serde_json::Value;
use std::collections::BTreeSet;

/// One line an attribute: name, type (`[]` if multi-valued), then what differs from the default: `required`, `caseExact`, mutability,
/// `returned`, uniqueness, canonical values, reference types behind `->`. The default mutability stands in the second column here.
const TABLES: [(&str, &str, &str); 6] = [
    (
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "readWrite",
        "
        userName string required server
        name complex
        name.formatted string
        name.familyName string
        name.givenName string
        name.middleName string
        name.honorificPrefix string
        name.honorificSuffix string
        displayName string
        nickName string
        profileUrl reference caseExact ->external
        title string
        userType string
        preferredLanguage string
        locale string
        timezone string
        active boolean
        password string writeOnly never
        emails complex[]
        emails.value string
        emails.display string
        emails.type string home,other,work
        emails.primary boolean
        phoneNumbers complex[]
        phoneNumbers.value string
        phoneNumbers.display string
        phoneNumbers.type string fax,home,mobile,other,pager,work
        phoneNumbers.primary boolean
        ims complex[]
        ims.value string
        ims.display string
        ims.type string aim,gtalk,icq,msn,other,qq,skype,xmpp,yahoo
        ims.primary boolean
        photos complex[]
        photos.value reference caseExact ->external
        photos.display string
        photos.type string photo,thumbnail
        photos.primary boolean
        addresses complex[]
        addresses.formatted string
        addresses.streetAddress string
        addresses.locality string
        addresses.region string
        addresses.postalCode string
        addresses.country string
        addresses.type string home,other,work
        groups complex[] readOnly
        groups.value string caseExact readOnly
        groups.$ref reference caseExact readOnly ->Group
        groups.display string readOnly
        groups.type string readOnly direct,indirect
        entitlements complex[]
        entitlements.value string
        entitlements.display string
        entitlements.type string
        entitlements.primary boolean
        roles complex[]
        roles.value string
        roles.display string
        roles.type string
        roles.primary boolean
        x509Certificates complex[]
        x509Certificates.value binary caseExact
        x509Certificates.display string
        x509Certificates.type string
        x509Certificates.primary boolean
        addresses.primary boolean
    ",
    ),
    (
        "urn:ietf:params:scim:schemas:core:2.0:Group",
        "readWrite",
        "
        displayName string required
        members complex[]
        members.value string caseExact immutable
        members.$ref reference caseExact immutable ->Group,User
        members.type string immutable Group,User
        members.display string readOnly
    ",
    ),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "readWrite",
        "
        employeeNumber string
        costCenter string
        organization string
        division string
        department string
        manager complex
        manager.value string caseExact
        manager.$ref reference caseExact ->User
        manager.displayName string readOnly
    ",
    ),
    (
        "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig",
        "readOnly",
        "
        documentationUri reference ->external
        patch complex required
        patch.supported boolean required
        bulk complex required
        bulk.supported boolean required
        bulk.maxOperations integer required
        bulk.maxPayloadSize integer required
        filter complex required
        filter.supported boolean required
        filter.maxResults integer required
        changePassword complex required
        changePassword.supported boolean required
        sort complex required
        sort.supported boolean required
        authenticationSchemes complex[] required
        authenticationSchemes.name string required
        authenticationSchemes.description string required
        authenticationSchemes.specUri reference ->external
        authenticationSchemes.documentationUri reference ->external
        etag complex required
        etag.supported boolean required
        authenticationSchemes.type string required httpbasic,httpdigest,oauth,oauth2,oauthbearertoken
        authenticationSchemes.primary boolean
        pagination complex
        pagination.cursor boolean required
        pagination.index boolean required
        pagination.defaultPaginationMethod string cursor,index
        pagination.defaultPageSize integer
        pagination.maxPageSize integer
        pagination.cursorTimeout integer
        securityEvents complex
        securityEvents.asyncRequest string long,none,request
        securityEvents.eventUris string[]
    ",
    ),
    (
        "urn:ietf:params:scim:schemas:core:2.0:ResourceType",
        "readOnly",
        "
        id string
        name string required server
        description string
        endpoint reference required caseExact server ->uri
        schema reference required caseExact ->uri
        schemaExtensions complex[]
        schemaExtensions.schema reference required caseExact ->uri
        schemaExtensions.required boolean required
    ",
    ),
    (
        "urn:ietf:params:scim:schemas:core:2.0:Schema",
        "readOnly",
        "
        id string required
        name string required
        description string
        attributes complex[] required
        attributes.name string required caseExact
        attributes.type string required binary,boolean,complex,dateTime,decimal,integer,reference,string
        attributes.multiValued boolean required
        attributes.description string caseExact
        attributes.required boolean
        attributes.canonicalValues string[] caseExact
        attributes.caseExact boolean
        attributes.mutability string caseExact immutable,readOnly,readWrite,writeOnly
        attributes.returned string caseExact always,default,never,request
        attributes.uniqueness string caseExact global,none,server
        attributes.referenceTypes string[] caseExact
        attributes.subAttributes complex[]
        attributes.subAttributes.name string required caseExact
        attributes.subAttributes.type string required binary,boolean,dateTime,decimal,integer,reference,string
        attributes.subAttributes.multiValued boolean required
        attributes.subAttributes.description string caseExact
        attributes.subAttributes.required boolean
        attributes.subAttributes.canonicalValues string[] caseExact
        attributes.subAttributes.caseExact boolean
        attributes.subAttributes.mutability string caseExact immutable,readOnly,readWrite,writeOnly
        attributes.subAttributes.returned string caseExact always,default,never,request
        attributes.subAttributes.uniqueness string caseExact global,none,server
        attributes.subAttributes.referenceTypes string[] caseExact
    ",
    ),
];

/// An attribute and those below it, as lines of the table.
fn lines(prefix: &str, attribute: &Value, mutability: &str) -> Vec<String> {
    let text = |key: &str| attribute[key].as_str().unwrap_or_default();
    let name = format!("{prefix}{}", text("name"));
    let mut line = vec![name.clone(), format!("{}{}", text("type"), if attribute["multiValued"] == true { "[]" } else { "" })];
    line.extend(["required", "caseExact"].into_iter().filter(|f| attribute[f] == true).map(str::to_owned));
    let others = [("mutability", mutability), ("returned", "default"), ("uniqueness", "none")];
    line.extend(others.into_iter().filter(|(k, default)| !["", default].contains(&text(k))).map(|(k, _)| text(k).to_owned()));
    for (key, mark) in [("canonicalValues", ""), ("referenceTypes", "->")] {
        let values: BTreeSet<&str> = attribute[key].as_array().into_iter().flatten().map(|v| v.as_str().unwrap()).collect();
        if !values.is_empty() {
            line.push(format!("{mark}{}", values.into_iter().collect::<Vec<_>>().join(",")));
        }
    }
    let inner = attribute["subAttributes"].as_array().into_iter().flatten();
    std::iter::once(line.join(" ")).chain(inner.flat_map(|s| lines(&format!("{name}."), s, mutability))).collect()
}

/// Every attribute of every schema, those inside others too: the schema's URN, the depth, the attribute.
fn attributes(c: &Client) -> Vec<(String, usize, Value)> {
    fn below(urn: &str, depth: usize, holder: &Value, key: &str, out: &mut Vec<(String, usize, Value)>) {
        for attribute in holder[key].as_array().into_iter().flatten() {
            out.push((urn.to_owned(), depth, attribute.clone()));
            below(urn, depth + 1, attribute, "subAttributes", out);
        }
    }
    let mut out = Vec::new();
    for schema in all(c, "/Schemas") {
        below(schema["id"].as_str().unwrap(), 0, &schema, "attributes", &mut out);
    }
    out
}

on_both! {
    /// R007 R009 R020 R026 R027 R028 R032 R044 R051 R054 R055 R060 R063 R069: each attribute is as RFC 7643 defines it.
    fn tables(server) {
        let schemas = all(&server.tenant(), "/Schemas");
        let mut wrong = Vec::new();
        for (urn, mutability, table) in TABLES {
            let schema = schemas.iter().find(|s| s["id"] == urn).unwrap();
            let shown: BTreeSet<String> = schema["attributes"].as_array().unwrap().iter().flat_map(|a| lines("", a, mutability)).collect();
            let expected: BTreeSet<String> = table.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect();
            wrong.extend(expected.difference(&shown).map(|line| format!("{urn} lacks {line}")));
            wrong.extend(shown.difference(&expected).map(|line| format!("{urn} should not have {line}")));
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// R071: schemas and attributes have names and descriptions, and complex attributes list what is in them.
    fn descriptions(server) {
        let c = server.tenant();
        let described = |v: &Value| ["name", "description"].iter().all(|k| v[k].as_str().is_some_and(|t| !t.is_empty()));
        assert!(all(&c, "/Schemas").iter().all(described));
        for (urn, _, attribute) in attributes(&c) {
            assert!(described(&attribute), "{urn} {attribute}");
            let inner = attribute["subAttributes"].as_array().map_or(0, Vec::len);
            assert_eq!(inner > 0, attribute["type"] == "complex", "{urn} {attribute}");
        }
    }

    /// R005 R008 R014 R017 R029: names are names, types are types of the RFC, and each characteristic stands only where it may.
    fn characteristics(server) {
        for (urn, depth, attribute) in attributes(&server.tenant()) {
            let about = format!("{urn} {}", attribute["name"]);
            let name = attribute["name"].as_str().unwrap();
            assert!(name == "$ref" || name.starts_with(|c: char| c.is_ascii_alphabetic()), "{about}");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "$-_".contains(c)), "{about}");
            let kind = attribute["type"].as_str().unwrap();
            assert!(["string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex"].contains(&kind), "{about}");
            assert!(attribute["multiValued"].is_boolean() && attribute["required"].is_boolean(), "{about}");
            assert_eq!(attribute["referenceTypes"].is_array(), kind == "reference", "{about}");
            assert!(kind != "complex" || (attribute.get("uniqueness").is_none() && attribute.get("caseExact").is_none()), "{about}");
            assert!(kind != "complex" || depth == 0 || urn.ends_with(":Schema"), "{about}");
            if kind == "binary" {
                assert_eq!(attribute["caseExact"], true, "{about}");
                assert_ne!(attribute["uniqueness"], "server", "{about}");
            }
        }
    }
}
