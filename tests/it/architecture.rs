//! The layers, and other rules of the source text.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What a module of `src/` may name: modules of the crate, then foreign crates among [`GUARDED`].
const LAYERS: &[(&str, &[&str], &[&str])] = &[
    ("scim", &["scim"], &[]),
    ("domain", &["domain"], &[]),
    ("store", &["store", "domain", "scim"], &["diesel", "diesel_migrations"]),
    ("service", &["service", "domain", "mail", "scim", "store", "error"], &[]),
    ("mail", &["mail", "domain"], &["lettre", "askama"]),
    // What is fetched from other servers, so that no transaction can wait for one.
    ("net", &["net", "domain"], &["reqwest"]),
    ("jobs", &["jobs", "app", "config", "service", "domain", "mail", "store", "error"], &[]),
    ("http", &["http", "service", "scim", "domain", "app", "error"], &["actix_tls", "actix_web"]),
    ("metrics", &["metrics", "domain"], &["metrics_exporter_prometheus"]),
    ("error", &["domain", "scim", "store"], &[]),
    ("config", &["domain", "service", "store"], &[]),
    ("app", &["app", "config", "domain", "error", "metrics", "net", "scim", "service", "store"], &[]),
    ("cli", &["app", "cli", "config", "domain", "error", "http", "jobs", "scim", "service", "store"], &["actix_web"]),
    ("main", &["cli"], &[]),
];

/// Foreign crates that belong to one layer. Others may be used anywhere.
const GUARDED: &[&str] = &[
    "actix_tls",
    "actix_web",
    "diesel",
    "diesel_migrations",
    "lettre",
    "libsqlite3_sys",
    "metrics_exporter_prometheus",
    "pq_sys",
    "reqwest",
];

const LONGEST: usize = 600;

/// The Rust files below a folder of the project.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|n| n != "target" && n != ".git") {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The text without comments, as long as before, so that places stay the same.
fn code(text: &str) -> String {
    let blank = |line: &str| match line.find("//") {
        Some(at) if !line[..at].ends_with(':') => format!("{}{}", &line[..at], " ".repeat(line.len() - at)),
        _ => line.to_owned(),
    };
    text.lines().map(blank).collect::<Vec<_>>().join("\n")
}

fn word(text: &str) -> &str {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap()
}

/// The first words of what follows a path such as `crate::`: one, or those of a list in braces.
fn heads(rest: &str) -> Vec<&str> {
    let Some(list) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                parts.push(word(list[from..at].trim_start()));
                from = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    parts
}

/// Every module of the crate and every guarded crate that a text names, with its line.
fn names(text: &str, layers: &BTreeSet<&str>) -> Vec<(usize, String)> {
    let text = code(text);
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let mut out = Vec::new();
    for path in ["crate::", "rollbook::", "super::super::"] {
        for (at, _) in text.match_indices(path) {
            let known = |head: &&str| layers.contains(head) || path == "crate::" && !head.is_empty() && *head != "self";
            out.extend(heads(&text[at + path.len()..]).into_iter().filter(known).map(|head| (line(at), head.to_owned())));
        }
    }
    for (at, _) in text.match_indices("::").chain(text.match_indices(';')) {
        let before = &text[..at];
        let name = before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap();
        let whole = !before[..at - name.len()].ends_with("::");
        out.extend(GUARDED.iter().filter(|g| whole && **g == name).map(|g| (line(at), (*g).to_owned())));
    }
    out
}

fn layers() -> BTreeSet<&'static str> {
    LAYERS.iter().map(|(name, ..)| *name).collect()
}

/// The layer that a file of `src/` belongs to.
fn layer(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Data flows one way: no module names one that it must not know.
#[test]
fn layers_name_only_what_they_may() {
    let mut faults = Vec::new();
    for path in rust_files("src") {
        let layer = layer(&path);
        if layer == "lib" {
            continue;
        }
        let (_, modules, crates) = LAYERS.iter().find(|(name, ..)| *name == layer).unwrap_or_else(|| panic!("{layer} is in no layer"));
        for (line, name) in names(&std::fs::read_to_string(&path).unwrap(), &layers()) {
            if !modules.contains(&name.as_str()) && !crates.contains(&name.as_str()) {
                faults.push(format!("{}:{line} may not use {name}", shown(&path)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The scanner above sees what it has to see.
#[test]
fn the_scanner_sees_every_form() {
    let text = "use crate::store::Conn;\nuse crate::{\n  scim::{self, json},\n  http,\n};\n// crate::app\nfn f() { crate::jobs::x(); \
                diesel::insert(); super::super::domain::y() }\nuse diesel;\nlet a = \"http://x\"; crate::cli::z();\nx::diesel::y()";
    let seen: BTreeSet<_> = names(text, &layers()).into_iter().collect();
    let wanted = [(1, "store"), (2, "scim"), (2, "http"), (7, "jobs"), (7, "diesel"), (7, "domain"), (8, "diesel"), (9, "cli")];
    assert_eq!(seen, wanted.map(|(line, name)| (line, name.to_owned())).into());
}

/// A file can be read in one sitting.
#[test]
fn no_file_is_too_long() {
    let long = |path: &PathBuf| std::fs::read_to_string(path).unwrap().lines().count() > LONGEST;
    let long: Vec<_> = rust_files("").into_iter().filter(long).map(|p| shown(&p)).collect();
    assert!(long.is_empty(), "over {LONGEST} lines: {long:?}");
}

/// Nothing is left for later, and no test is switched off.
#[test]
fn nothing_is_left_undone() {
    let marks = ["todo!", "unimplemented!", "#[ignore"];
    let (here, mut faults) = (root().join(file!()), Vec::new());
    for path in rust_files("").into_iter().filter(|p| *p != here) {
        for (n, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            faults.extend(marks.iter().filter(|m| line.contains(**m)).map(|m| format!("{}:{} has {m}", shown(&path), n + 1)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Store functions without a tenant: file, function ("" for all of the file), reason.
const WITHOUT_TENANT: &[(&str, &str, &str)] = &[
    ("admin_keys", "insert", "the key names its tenant, or opens all"),
    ("admin_keys", "find_by_hash", "this is how it is found whose a key is"),
    ("admin_keys", "used", "a key is found by its own id"),
    ("idempotency", "", "answers belong to keys of the admin API, not to tenants"),
    ("sources", "insert", "the source names its tenant"),
    ("sources", "save", "the source names its tenant"),
    ("tokens", "expiring", "the tokens of all tenants, for the clock; each names its own"),
    ("mod", "checks", "the list of what is checked"),
    ("rows", "", "rows of any table, for what concerns the whole database"),
    ("tables", "", "the list of the tables"),
    ("upkeep", "", "the database as a whole"),
    ("finding", "run", "looks through all tenants; each finding names its own"),
    ("finding", "orphans", "looks for what is of no tenant"),
    ("due", "to_purge", "the end of a statement on all tenants' members; whoever runs it gets tenants or a number"),
    ("queues", "", "how much waits in all tenants together: numbers only"),
    ("due", "quarantined", "looks for whoever is in quarantine, whosever they are"),
    ("backend", "", "connections, transactions and migrations"),
    ("keys", "", "the deployment's own secrets"),
    ("sql", "", "builds statements; whoever builds one names the tenant"),
    ("sort", "", "parts of a statement that list.rs puts the tenant into"),
    ("writer", "", "runs the jobs of others"),
    ("error", "is_transient", "says what an error is"),
    ("filter", "on_member", "a condition on members.rs's own statement, which names the tenant"),
    ("filter", "roll_column", "a column of a row; whoever builds the statement names the tenant"),
    ("filter", "is_look_up", "looks at a filter, not at data"),
    ("filter", "is_selective", "looks at a filter, not at data"),
    ("list", "is_look_up", "looks at a query, not at data"),
    ("list", "is_unfiltered", "looks at a query, not at data"),
    ("bulk", "open", "the jobs of all tenants, for the worker; each names its own"),
    ("clients", "insert", "the client names its tenant"),
    ("clients", "find_by_id", "this is how a tenant is found"),
    ("clients", "use_assertion", "the client is known, and its tenant"),
    ("clients", "prune_assertions", "removes what has expired, whosever it is"),
    ("issuers", "insert", "the issuer names its tenant"),
    ("issuers", "find_taking", "this is how a tenant is found"),
    ("codes", "is_live", "looks at a code, not at data"),
    ("codes", "insert", "the code names its tenant"),
    ("codes", "find_by_lookup", "this is how a member and the tenant are found"),
    ("codes", "to_expire", "the codes of all tenants, for the clock; each names its own"),
    ("invitations", "is_live", "looks at a link, not at data"),
    ("invitations", "insert", "the link names its tenant"),
    ("invitations", "find_by_hash", "this is how a member and the tenant are found"),
    ("invitations", "to_remind", "the links of all tenants, for the clock; each names its own"),
    ("invitations", "to_expire", "the links of all tenants, for the clock; each names its own"),
    ("outbox", "insert", "the letter names its tenant"),
    ("outbox", "lease", "the letters of all tenants, for the sender; each names its own"),
    ("outbox", "prune", "removes what is old, whosever it is"),
    ("purge", "prune", "removes what has expired, whosever it is"),
    ("resources", "code", "a number for a kind"),
    ("resources", "of", "a kind for a number"),
    ("resources", "select", "begins a statement; whoever ends it names the tenant"),
    ("resources", "one", "runs a statement that names the tenant"),
    ("resources", "touch", "begins a statement that as_expected ends with the tenant"),
    ("resources", "set_record", "goes on with a statement that as_expected ends with the tenant"),
    ("roll", "member", "reads a member out of a row"),
    ("roll", "stage_code", "a number for a stage"),
    ("roll", "kind_of", "a number for a state"),
    ("tenants", "", "tenants themselves"),
    ("tokens", "insert", "the token names its tenant"),
    ("tokens", "find_by_hash", "this is how a tenant is found"),
    ("schema", "", "the tables"),
];

/// R230, R231: whoever reads or writes data says whose.
#[test]
fn store_functions_take_a_tenant() {
    let mut faults = Vec::new();
    let mut used = BTreeSet::new();
    for path in rust_files("src/store") {
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = code(&std::fs::read_to_string(&path).unwrap());
        used.extend(WITHOUT_TENANT.iter().filter(|(f, name, _)| *f == file && name.is_empty()).map(|(f, name, _)| (*f, *name)));
        for (at, _) in text.match_indices("pub fn ").chain(text.match_indices("pub(super) fn ")) {
            let signature = text[at..].split(" {\n").next().unwrap();
            let name = word(signature.split("fn ").nth(1).unwrap());
            let exception = WITHOUT_TENANT.iter().find(|(f, n, _)| *f == file && (*n == name || n.is_empty()));
            if signature.contains("TenantId") {
                continue;
            }
            match exception {
                Some((f, n, _)) => drop(used.insert((*f, *n))),
                None => faults.push(format!("store/{file}.rs: {name} takes no TenantId")),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let idle: Vec<_> = WITHOUT_TENANT.iter().filter(|(f, n, _)| !used.contains(&(*f, *n))).collect();
    assert!(idle.is_empty(), "exceptions that nothing needs: {idle:?}");
}
