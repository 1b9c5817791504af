//! Holds `conformance/rfc.md` to its word: every requirement is there, and every test that it names exists.

use std::collections::BTreeSet;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The rows of the table: requirement, level, evidence.
fn rows() -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(Path::new(ROOT).join("conformance/rfc.md")).unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
    text.lines().filter(|l| l.starts_with("| R")).map(cells).map(|c| (c[0].clone(), c[1].clone(), c[2].clone())).collect()
}

#[test]
fn every_requirement_is_listed() {
    let listed: BTreeSet<String> = rows().into_iter().map(|r| r.0).collect();
    let missing: Vec<String> = (1..=240).chain(258..=259).map(|n| format!("R{n:03}")).filter(|r| !listed.contains(r)).collect();
    assert!(missing.is_empty(), "not in conformance/rfc.md: {missing:?}");
}

#[test]
fn every_row_names_evidence_that_exists() {
    let mut wrong = Vec::new();
    for (id, level, evidence) in rows() {
        let named: Vec<&str> = evidence.split('`').skip(1).step_by(2).collect();
        if named.is_empty() && !evidence.starts_with("not held:") && !evidence.starts_with("no test:") {
            wrong.push(format!("{id} ({level}) has neither a test nor a reason"));
        }
        wrong.extend(named.iter().filter(|n| !exists(n)).map(|n| format!("{id}: there is no {n}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `users::creates`, `scim::json::tests::depth`, `conformance/patch.toml`, `conformance/requests/okta/OK-01.json`.
fn exists(name: &str) -> bool {
    if name.contains('/') {
        return Path::new(ROOT).join(name).exists();
    }
    let parts: Vec<&str> = name.split("::").collect();
    let Some((function, path)) = parts.split_last() else { return false };
    let path: Vec<&str> = path.iter().copied().filter(|p| *p != "tests").collect();
    let files = [format!("tests/it/{}.rs", path.join("/")), format!("src/{}.rs", path.join("/")), format!("src/{}/mod.rs", path.join("/"))];
    let found = files.iter().filter_map(|f| std::fs::read_to_string(Path::new(ROOT).join(f)).ok());
    found.into_iter().any(|text| text.contains(&format!("fn {function}(")))
}

/// Our column of the comparison with other servers is held by tests.
#[test]
fn what_we_say_of_ourselves_is_tested() {
    let text = include_str!("../../docs/comparison.md");
    let ours: Vec<Vec<&str>> = text.lines().filter(|l| l.starts_with("| ")).map(|l| l.trim_matches('|').split(" | ").collect()).collect();
    let rows: Vec<&Vec<&str>> = ours.iter().filter(|cells| cells.len() == 11 && cells[0].trim() != "what").collect();
    assert!(rows.len() > 25, "the table is there");
    for cells in rows {
        let named: Vec<&str> = cells[10].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test for: {}", cells[0]);
        for test in named {
            assert!(exists(test), "there is no test {test}, for: {}", cells[0]);
        }
    }
}
