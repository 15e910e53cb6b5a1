//! Before any sensor is in play: the attack itself works, and the container is gone two seconds later.

use anyhow::Result;
use tests::world::attack::Attack;
use tests::world::place::{Place, missing};

#[test]
fn an_attacker_gets_the_token_and_the_role_keys_from_a_container_that_lives_two_seconds() -> Result<()> {
    if let Some(what) = missing() {
        println!("skipped: {what}");
        return Ok(());
    }
    let place = Place::new("stag")?;
    let mut attack = Attack::prepare(&place, 2)?;
    attack.strike().ok();
    attack.container.wait()?;
    assert_eq!(attack.loot("token").as_deref(), Some(b"eyJhbGciOiJSUzI1NiJ9.stage.token".as_slice()));
    let keys = String::from_utf8(attack.loot("keys").unwrap_or_default())?;
    assert!(keys.contains(&attack.role_key), "the attacker got: {keys}");
    let upper = attack.container.upper();
    assert!(upper.join("tmp/second-stage-ran").exists(), "the second stage did not run");
    assert!(!upper.join("tmp/.cache-x").exists(), "the dropped file is still there");
    Ok(())
}
