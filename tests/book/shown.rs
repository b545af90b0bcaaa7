//! Code that pages show in part: it stands here whole, compiled, and run where that says something.

#[cfg(tokio_unstable)]
#[path = "wallet/src/lib.rs"]
mod wallet_as_found;
#[path = "wallet/fixed.rs"]
mod wallet_put_right;

mod kits {
    use std::sync::Arc;

    use hyperlapse::Suite;
    use hyperlapse::kit::{
        self,
        limiter::{Job, Limiter},
    };
    use tokio::sync::Semaphore;

    #[derive(Clone)]
    struct Permits(Arc<Semaphore>);

    impl Limiter for Permits {
        async fn run(&self, job: Job) -> Result<(), String> {
            let _permit = self.0.acquire().await.map_err(|error| error.to_string())?;
            job.await;
            Ok(())
        }
    }

    #[hyperlapse::test(seeds = 1_000)]
    fn permits_are_kept_and_given_back() -> Suite<Permits> {
        kit::limiter::suite(|limit| Permits(Arc::new(Semaphore::new(limit))))
    }

    #[test]
    fn a_body_by_itself() {
        use hyperlapse::{PerUserIterations, RunOptions, Scenario, Verdict, kit::limiter};

        let scenario = Scenario::builder("mine", PerUserIterations::new(40, 10)).build().unwrap();
        let record = hyperlapse::run(&scenario, RunOptions::seed(7), |sim| {
            let permits = Permits(Arc::new(Semaphore::new(limiter::limit(&sim))));
            limiter::body(sim, permits)
        });
        assert!(Verdict::of(&record, &[]).passed());
    }
}

mod testing {
    #![allow(unused_variables)]

    use hyperlapse::Sim;

    #[hyperlapse::test(seeds = 500, strategy = "random", deadline = "60s")]
    async fn nothing_is_lost(sim: Sim) {
        // Make the system, use it, assert. `sim.drive(…)` brings users; `tokio::spawn` works as always.
    }
}

/// The wallet of the guide's first chapter, put right, under a test that was one of tokio's.
mod wallet {
    use std::sync::Arc;

    use super::wallet_put_right::Wallet;
    use hyperlapse::Sim;

    #[hyperlapse::test]
    async fn nobody_overdraws(_sim: Sim) {
        let wallet = Arc::new(Wallet::with(100));
        let customers: Vec<_> = (0..3)
            .map(|_| {
                let wallet = Arc::clone(&wallet);
                tokio::spawn(async move { wallet.pay(60).await })
            })
            .collect();
        for customer in customers {
            customer.await.unwrap();
        }
        assert!(wallet.cents() >= 0, "{} cents are left", wallet.cents());
    }
}

/// The same with the mistake in it: what the flag is for.
#[cfg(tokio_unstable)]
mod broken_wallet {
    use std::sync::Arc;

    use super::wallet_as_found::Wallet;

    #[test]
    fn with_the_flag_a_race_of_spawned_tasks_is_found() {
        let out = tempfile::tempdir().unwrap();
        let test = hyperlapse::Test::new("overdrawn").out(out.path());
        let not_held = test.check(|_| async {
            let wallet = Arc::new(Wallet::with(100));
            let [one, other] = [(); 2].map(|()| {
                let wallet = Arc::clone(&wallet);
                tokio::spawn(async move { wallet.pay(60).await })
            });
            let _ = (one.await, other.await);
            assert!(wallet.cents() >= 0, "{} cents are left", wallet.cents());
        });
        assert!(not_held.unwrap_err().to_string().contains("-20 cents are left"));
    }
}

mod disk {
    use hyperlapse::Streams;
    use hyperlapse::disk::{Disk, DiskFault, DiskOp, DiskOpKind, DiskOptions};

    // As the page has it: comments in a column.
    #[rustfmt::skip]
    #[hyperlapse::test(seeds = 3)]
    async fn what_is_called(sim: hyperlapse::Sim) -> Result<(), Box<dyn std::error::Error>> {
        let seed = sim.seed();
        let disk = Disk::new("server", &Streams::new(seed), DiskOptions::default())?;
        let _mounted = disk.mount()?;                         // SQLite finds it on this thread, until this is dropped
        let path = disk.path("app.db");                       // "/server/app.db" in the file system disk::VFS
        disk.power_cut_after(17);                             // in the middle of the 18th operation from here
        disk.restart();                                       // power again: what is left is what was synced, and some of the rest
        disk.change(|options| options.capacity = Some(1_000_000))?;
        disk.set_faults(|op: &DiskOp<'_>| (op.kind == DiskOpKind::Sync).then_some(DiskFault::Lie));
        tokio::time::sleep(disk.take_elapsed()).await;        // what its operations took
        assert_eq!(path, "/server/app.db");
        Ok(())
    }
}

mod gateway {
    use conversation_manager::gateway::{ReplySender, Responder, Responding, Turn};

    #[allow(dead_code)]
    struct Mine;

    impl Responder for Mine {
        fn respond<'a>(&'a self, turn: Turn, reply: ReplySender) -> Responding<'a> {
            Box::pin(async move { reply.send(&format!("you said: {}", turn.text)) })
        }
    }
}

mod store {
    // As the README has it, in few lines.
    #[rustfmt::skip]
    #[allow(dead_code)]
    async fn a_start() -> Result<(), Box<dyn std::error::Error>> {
        use conversation_manager::store::{NewConversation, Store, StoreOptions, SystemWallClock, WallClock};

        let store = Store::spawn(StoreOptions::new("conversations.sqlite3").exclusive(true))?;
        let ada = NewConversation { user: "ada".into(), room: None, key: None, at: SystemWallClock.now() };
        let started = store.start(ada).await?; // committed, and on the disk
        let _ = started;
        Ok(())
    }
}

mod metrics {
    use std::time::Duration;

    use hyperlapse::{AllAtOnce, Metric, Scenario, User};

    #[allow(dead_code)]
    fn of_ones_own(user: &User, asked: Duration) {
        const TURN: Metric = Metric::trend("turn_time", "from a message to its answer");

        let scenario = Scenario::builder("chat", AllAtOnce::users(5)).metric(&TURN);
        // and in the code of a user:
        user.tagged(&[("model", "small")]).observe(&TURN, user.sim().now() - asked);
        let _ = scenario;
    }
}
