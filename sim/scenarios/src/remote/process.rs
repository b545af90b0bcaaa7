//! The gateway in a process of its own, on loopback: what production runs, beside the users of a run on the real clock.
//!
//! It is this command again with a word that nobody types. The store is SQLite in a folder of its own among the temporary
//! ones, which goes with the process. What a production gateway has no route for goes over the process's standard
//! input and output, a line each: what the manager counts (also after the gateway has stopped), and another limit. A drain
//! begins with SIGTERM, as anywhere.
//!
//! It ends with its standard input: when the run is over, and when whoever started it is gone, killed or not.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use conversation_manager::gateway::{Gateway, GatewayParts};
use conversation_manager::store::{Store, StoreOptions, SystemWallClock};
use conversation_manager::{ConversationManager, Limits};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

use super::server::{Echo, Tokens, gateway_options};
use crate::bot::Counts;

/// The word that nobody types.
pub const COMMAND: &str = "serve-gateway";

/// How long it has to begin to listen, to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

static IS_COMMAND: AtomicBool = AtomicBool::new(false);

/// This executable is the command of the suite: it can be started again as a gateway.
pub fn this_is_the_command() {
    IS_COMMAND.store(true, Ordering::Relaxed);
}

/// What the process is told.
#[derive(Serialize, Deserialize)]
struct Orders {
    limits: Limits,
    drain_ms: u64,
}

/// What its manager counts, as it goes over the pipe.
#[derive(Serialize, Deserialize)]
struct Line {
    active: u64,
    waiting: u64,
    users: u64,
    started: u64,
    completed: u64,
    refused: u64,
}

const LISTENING: &str = "listening on ";
const COUNTS: &str = "counts ";
const RESIZED: &str = "resized";
const DRAINED: &str = "drained";

/// Why there is no gateway.
#[derive(Debug)]
pub enum NoProcess {
    /// This executable is not the command.
    NotTheCommand,
    /// The operating system does not start it.
    NotStarted(std::io::Error),
    /// It ended, or took too long, before it listened.
    NotListening,
}

impl std::fmt::Display for NoProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NoProcess::NotTheCommand => f.write_str(
                "the gateway of a run on the real clock is the command `conversation-load` once more: start the run \
                 with it",
            ),
            NoProcess::NotStarted(error) => write!(f, "the gateway's process was not started: {error}"),
            NoProcess::NotListening => f.write_str("the gateway's process did not begin to listen"),
        }
    }
}

impl std::error::Error for NoProcess {}

/// A gateway in another process; dropping it ends that, and waits for it.
pub struct GatewayProcess {
    child: Mutex<Child>,
    id: u32,
    address: SocketAddr,
    pipe: Mutex<Pipe>,
    drained: watch::Receiver<bool>,
}

struct Pipe {
    /// Until it is to end.
    to: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl GatewayProcess {
    /// Starts it with these limits; a drain takes as long as is said here at most.
    ///
    /// # Errors
    /// When it does not listen within ten seconds.
    pub fn start(limits: Limits, drain: Duration) -> Result<Self, NoProcess> {
        if !IS_COMMAND.load(Ordering::Relaxed) {
            return Err(NoProcess::NotTheCommand);
        }
        let orders = Orders { limits, drain_ms: drain.as_millis() as u64 };
        let orders = serde_json::to_string(&orders).expect("orders are plain data");
        let started = std::env::current_exe().and_then(|command| {
            Command::new(command)
                .args([COMMAND, &orders])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
        });
        let mut child = started.map_err(NoProcess::NotStarted)?;
        let to = child.stdin.take();
        let from = child.stdout.take().expect("it was asked for");
        let ((lines, answers), (over, drained)) = (channel(), watch::channel(false));
        // It ends with the process.
        thread::spawn(move || listen(from, &lines, &over));
        let mut this = Self {
            id: child.id(),
            child: Mutex::new(child),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            pipe: Mutex::new(Pipe { to, answers }),
            drained,
        };
        // Dropped before it listens, it is ended all the same.
        let first = lock(&this.pipe).answers.recv_timeout(PATIENCE).ok();
        let address = first.and_then(|line| line.strip_prefix(LISTENING)?.parse().ok());
        this.address = address.ok_or(NoProcess::NotListening)?;
        Ok(this)
    }

    /// Its number in the operating system.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its manager counts; none when it is gone.
    pub fn counts(&self) -> Option<Counts> {
        let answer = self.ask("counts")?;
        let line: Line = serde_json::from_str(answer.strip_prefix(COUNTS)?).ok()?;
        let Line { active, waiting, users, started, completed, refused } = line;
        Some(Counts { active, waiting, users, started, completed, refused })
    }

    /// Puts another global limit into force. Nothing comes of it when it is gone.
    pub fn resize(&self, max_concurrent: usize) {
        self.ask(&format!("resize {max_concurrent}"));
    }

    /// Asks it something that it answers at once: some ten microseconds for which this thread waits.
    fn ask(&self, question: &str) -> Option<String> {
        let mut pipe = lock(&self.pipe);
        writeln!(pipe.to.as_mut()?, "{question}").ok()?;
        pipe.answers.recv_timeout(PATIENCE).ok()
    }

    /// Lets those who talk finish, as SIGTERM does in production; resolves when the gateway has stopped.
    pub async fn drain(&self) {
        terminate(self.id);
        // An error: it is gone.
        let _ = self.drained.clone().wait_for(|drained| *drained).await;
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        // It ends with its standard input.
        drop(lock(&self.pipe).to.take());
        let mut child = lock(&self.child);
        let began = Instant::now();
        while let Ok(None) = child.try_wait() {
            if began.elapsed() > PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A question that was not answered is no worse than one that was not asked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sorts what the process says: answers, and that it has stopped.
fn listen(from: impl std::io::Read, answers: &Sender<String>, over: &watch::Sender<bool>) {
    for line in BufReader::new(from).lines().map_while(Result::ok) {
        if line == DRAINED {
            over.send_replace(true);
        } else if answers.send(line).is_err() {
            return;
        }
    }
}

fn terminate(id: u32) {
    if let Ok(id) = libc::pid_t::try_from(id) {
        // SAFETY: it takes two numbers. The child was not waited for, so that the number is still its own.
        unsafe { libc::kill(id, libc::SIGTERM) };
    }
}

/// The other end: the gateway, from its first line to its last.
pub fn serve(orders: &str) -> ExitCode {
    let Ok(Orders { limits, drain_ms }) = serde_json::from_str(orders) else {
        eprintln!("error: `{COMMAND}` is for conversation-load itself");
        return ExitCode::from(hyperlapse::exit::USAGE);
    };
    // Whoever presses Ctrl-C means the command that has started this; it says when to end.
    // SAFETY: to ignore a signal is a handler that the system has.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    let runtime = tokio::runtime::Runtime::new();
    let folder = tempfile::Builder::new().prefix("conversation-load-").tempdir();
    let served = match (runtime, folder) {
        (Ok(runtime), Ok(folder)) => {
            let served =
                runtime.block_on(run(limits, Duration::from_millis(drain_ms), folder.path()));
            runtime.shutdown_timeout(Duration::from_secs(1));
            served.map_err(|error| error.to_string())
        }
        (Err(error), _) | (_, Err(error)) => Err(error.to_string()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the gateway does not serve: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(
    limits: Limits,
    drain: Duration,
    folder: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let store =
        Store::spawn(StoreOptions::new(folder.join("conversations.sqlite3")).exclusive(true))?;
    let manager = ConversationManager::new(limits)?;
    let gateway = Gateway::new(GatewayParts {
        manager: manager.clone(),
        store: store.clone(),
        wall_clock: Arc::new(SystemWallClock),
        responder: Arc::new(Echo),
        authenticator: Arc::new(Tokens),
        options: gateway_options(drain),
    })?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let mut terminated = signal(SignalKind::terminate())?;
    say(&format!("{LISTENING}{}", listener.local_addr()?));
    let ends = Arc::new(Notify::new());
    let asked = (manager, Arc::clone(&ends), folder.to_owned());
    thread::spawn(move || answer(&asked.0, &asked.1, &asked.2));
    let serving = async {
        let shutdown = async {
            terminated.recv().await;
        };
        let served = gateway.serve(listener, shutdown).await;
        say(DRAINED);
        served?;
        // What the manager counts may still be asked for.
        std::future::pending().await
    };
    tokio::select! {
        () = ends.notified() => {}
        served = serving => return served,
    }
    store.shut_down().await?;
    Ok(())
}

/// Answers what comes in by standard input, and ends the process with it.
fn answer(manager: &ConversationManager, ends: &Notify, folder: &Path) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("resize", max_concurrent)) => {
                let limits = max_concurrent
                    .parse()
                    .map(|max_concurrent| Limits { max_concurrent, ..manager.limits() });
                if let Ok(limits) = limits {
                    let _ = manager.resize(limits);
                }
                say(RESIZED);
            }
            _ => {
                let Counts { active, waiting, users, started, completed, refused } =
                    Counts::of(&manager.stats());
                let line = Line { active, waiting, users, started, completed, refused };
                let line = serde_json::to_string(&line).expect("counts are plain data");
                say(&format!("{COUNTS}{line}"));
            }
        }
    }
    ends.notify_one();
    // A task that does not return from its poll must not hold the process up.
    thread::sleep(Duration::from_secs(3));
    let _ = std::fs::remove_dir_all(folder);
    std::process::exit(1);
}

/// A line for whoever has started this. Nobody may be there to read it.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
