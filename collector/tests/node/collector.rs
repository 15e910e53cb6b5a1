//! A collector in the test's own process: started on a data directory, stopped as a signal stops it.

use std::path::Path;

use ::collector::clock::Clock;
use ::collector::config::Config;
use ::collector::run::{self, Ready, RunError};
use tokio::sync::oneshot;

/// A running collector.
pub struct Collector {
    ready: Option<Ready>,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<Result<(), RunError>>,
}

impl Collector {
    /// With what it does by itself.
    pub async fn start(data: &Path) -> Self {
        Self::configured(data, Config::default()).await
    }

    /// With a configuration; nodes connect to a port of the kernel's choice.
    pub async fn configured(data: &Path, config: Config) -> Self {
        let config = Config { listen: ([127, 0, 0, 1], 0).into(), ..config };
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = oneshot::channel();
        let data = data.to_owned();
        let task = tokio::spawn(async move {
            let stop = async { drop(stopped.await) };
            run::serve_until(&data, config, Clock::system(), stop, ready).await
        });
        let ready = is_ready.await.expect("it starts");
        Self { ready: Some(ready), stop: Some(stop), task }
    }

    /// What it is reached by.
    pub fn ready(&self) -> &Ready {
        self.ready.as_ref().expect("it runs")
    }

    /// Where nodes connect.
    pub fn port(&self) -> u16 {
        self.ready().listen.port()
    }

    /// Stops it; everything is written when this returns.
    pub async fn stop(mut self) {
        self.ready = None;
        drop(self.stop.take());
        self.task.await.expect("no panic").expect("no error");
    }
}
