//! Looking events up in a hundred thousand indicators: reading them, what they take, and events that meet none.

use std::hint::black_box;
use std::time::Instant;

use rules::indicators::Set;
use serde_json::json;

use super::{GOAL, NodeEvent, print, rate};

/// A feed of all kinds, of which no event meets any.
fn feed() -> String {
    let mut feed = String::from("type,value,source,why,expires\n");
    for number in 0..100_000_u32 {
        let network = number / 8 * 16;
        let value = match number % 8 {
            0..3 => format!("sha256,{:064x}", number + 1),
            3 => format!("address,198.{}.{}.{}", 18 + (number >> 16), number >> 8 & 0xff, number & 0xff),
            4 => format!("network,203.{}.{}.{}/28", network >> 16, network >> 8 & 0xff, network & 0xff),
            5 => format!("domain,node-{number}.bad.example"),
            6 => format!("url,http://node-{number}.bad.example/payload/{number}.sh"),
            _ => format!("file_name,payload-{number}/run"),
        };
        feed.push_str(&value);
        feed.push_str(",a feed,control server of a campaign,2030-01-01T00:00:00Z\n");
    }
    feed
}

/// Reading the feed, what the set takes, and events that meet nothing of it.
pub(super) fn measure(events: &[NodeEvent]) {
    let feed = feed();
    let start = Instant::now();
    let (set, errors) = Set::load([("feed.csv", &feed)]);
    let seconds = start.elapsed().as_secs_f64();
    assert!(errors.is_empty(), "{errors:?}");
    let count = set.indicators().len();
    print(&format!("rules/indicators_{count}/read"), count as f64 / seconds, None);
    let bytes = json!({"name": format!("rules/indicators_{count}/memory"), "value": set.bytes(), "unit": "bytes", "goal": null, "met": null});
    println!("{bytes}");
    let mut hits = Vec::with_capacity(64);
    let lookups = rate(events.len(), || {
        for event in events {
            hits.clear();
            set.lookup(event, 1_767_225_600, &mut hits);
            black_box(&hits);
        }
    });
    assert!(hits.is_empty(), "the feed was made so that nothing meets it");
    print(&format!("rules/indicators_{count}/typed"), lookups, Some(GOAL));
}
