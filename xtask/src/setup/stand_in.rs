//! moto, the stand-in for the AWS API, from PyPI into a Python environment of its own. Never touches the host's Python.

use std::process::Command;

use anyhow::Result;

use super::{Found, Missing};
use crate::place::{self, Place};
use crate::step::Step;

const REQUIREMENT: &str = "moto[server]==5.2.*";
const VERSION: &str = "5.2.";

/// Makes the environment unless a moto of this version starts in it.
pub(super) fn bring(place: &Place, step: &Step) -> Result<Found> {
    if starts(place) {
        return Ok(Found::AlreadyThere);
    }
    let Some(python) = place::program("python3") else {
        return Ok(Found::Missing(Missing::new(
            "moto",
            "it needs python3: as root, apt-get install python3 python3-venv",
        )));
    };
    step.note("making a Python environment");
    let made = step.try_run(Command::new(python).args(["-m", "venv", "--clear"]).arg(place.venv()))?;
    if !made.success {
        return Ok(Found::Missing(Missing::new(
            "moto",
            "it needs the venv module: as root, apt-get install python3-venv",
        )));
    }
    step.note(&format!("pip install {REQUIREMENT}"));
    let mut pip = Command::new(place.venv().join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT]);
    step.try_run(&mut pip)?;
    if starts(place) {
        return Ok(Found::Installed);
    }
    let remedy = format!("pip could not install it; it needs network access to PyPI; see {}", place.logs().display());
    Ok(Found::Missing(Missing::new("moto", remedy)))
}

fn starts(place: &Place) -> bool {
    let version = Command::new(place.venv().join("bin/python"))
        .args(["-c", "from importlib.metadata import version; print(version('moto'))"])
        .output();
    // The script names its interpreter by an absolute path, which a copied environment would not have.
    let server = Command::new(place.moto()).arg("--help").output();
    version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).starts_with(VERSION))
        && server.is_ok_and(|output| output.status.success())
}
