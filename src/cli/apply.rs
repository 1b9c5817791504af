//! `rollbook apply` and `rollbook export`.

use super::admin::{hinted, open};
use super::args::ApplyArgs;
use super::desk::hand;
use super::{Outcome, say};
use crate::app::open_vault;
use crate::config::Config;
use crate::service::setup::{self, Difference, Setup};
use crate::store::backend;
use std::io::{IsTerminal, Read, Write};
use std::sync::Arc;

pub fn run(config: &Config, actor: &str, args: &ApplyArgs) -> Outcome {
    let wanted = read(&args.file)?;
    let mut conn = open(config)?;
    let plan = backend::read(&mut conn, |c| setup::plan(c, &wanted)).map_err(|e| hinted(&e, ""))?;
    show(&plan)?;
    if plan.is_empty() || args.dry_run {
        return Ok(());
    }
    if !args.yes && !confirmed()? {
        return say("nothing was changed");
    }
    let vault = Arc::new(open_vault(&mut conn, config).map_err(|e| e.to_string())?);
    let hand = hand(config, actor);
    let done = backend::write(&mut conn, |c| setup::apply(c, &hand, &vault, &wanted)).map_err(|e| hinted(&e, ""))?;
    say(&format!("applied: {} change(s)", done.len()))
}

pub fn export(config: &Config) -> Outcome {
    let present = backend::read(&mut open(config)?, setup::export).map_err(|e| hinted(&e, ""))?;
    let text = toml::to_string(&present).map_err(|e| e.to_string())?;
    say(text.trim_end())
}

fn read(file: &str) -> Result<Setup, String> {
    let mut text = String::new();
    if file == "-" {
        std::io::stdin().read_to_string(&mut text).map_err(|e| format!("standard input: {e}"))?;
    } else {
        text = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
    }
    toml::from_str(&text).map_err(|e| format!("{file}: {e}"))
}

fn show(plan: &[Difference]) -> Outcome {
    if plan.is_empty() {
        return say("nothing to do: everything is as the file declares it");
    }
    let mut tenant = "";
    for d in plan {
        if d.tenant != tenant {
            tenant = &d.tenant;
            say(&format!("{tenant}:"))?;
        }
        say(&format!("  {}", d.change))?;
    }
    Ok(())
}

fn confirmed() -> Result<bool, String> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err("nobody is there to confirm; --yes does, --dry-run only shows".to_owned());
    }
    write!(std::io::stdout(), "Apply this? [y/N] ").and_then(|()| std::io::stdout().flush()).map_err(|e| e.to_string())?;
    let mut answer = String::new();
    input.read_line(&mut answer).map_err(|e| e.to_string())?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
