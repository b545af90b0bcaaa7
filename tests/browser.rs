//! The HTML report in a real browser: nothing complains, nothing is fetched, and a phone shows it whole.
//!
//! The browser is a headless Chromium, where there is one; elsewhere the tests say that they were skipped.

#[path = "cli/command.rs"]
mod command;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The width of a phone.
const PHONE: u32 = 390;

fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let found = names.iter().find_map(|name| {
        folders.iter().map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
    });
    if found.is_none() {
        eprintln!("skipped: no Chromium on this machine, so that no page was opened");
    }
    found
}

/// What a page came to in the browser: its elements after everything has been shown, and what was complained of.
struct Shown {
    dom: String,
    complaints: Vec<String>,
}

fn show(browser: &Path, page: &Path, folder: &Path) -> Shown {
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .args([
            "--disable-background-networking",
            "--enable-logging=stderr",
            "--virtual-time-budget=5000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the browser can be started");
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let out = std::thread::spawn(move || {
        let mut text = Vec::new();
        out.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
    });
    let err = std::thread::spawn(move || {
        let mut text = Vec::new();
        err.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
    });
    let began = Instant::now();
    while child.try_wait().expect("its state can be asked for").is_none() {
        if began.elapsed() > Duration::from_secs(180) {
            child.kill().expect("it can be ended");
            panic!("the browser did not come back from {}", page.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let dom = out.join().unwrap().expect("what it prints can be read");
    let complaints = err.join().unwrap().expect("what it complains of can be read");
    let complaints = complaints.lines().filter(|line| line.contains(":CONSOLE"));
    Shown { dom, complaints: complaints.map(str::to_owned).collect() }
}

/// A page that shows `page` as wide as a phone, unchanged, and tells what reaches beyond it.
fn on_a_phone(page: &str) -> String {
    let text = serde_json::to_string(page).unwrap().replace("</", "<\\/");
    format!(
        r#"<!DOCTYPE html><title>probe</title>
<iframe id="phone" style="border:0;width:{PHONE}px;height:20000px"></iframe><pre id="told">not measured</pre>
<script>
const phone = document.getElementById("phone");
phone.onload = () => {{
  const page = phone.contentDocument;
  const wide = [...page.querySelectorAll("body *")]
    .filter(e => e.getBoundingClientRect().right > {PHONE} + 0.5)
    .map(e => e.tagName + "." + e.getAttribute("class") + ": " + e.textContent.trim().slice(0, 60));
  const hidden = [...page.querySelectorAll("h1, .word")].filter(e => e.offsetHeight == 0).length;
  document.getElementById("told").textContent = "width " + page.documentElement.scrollWidth + ", charts "
    + page.querySelectorAll("svg.chart").length + ", hidden " + hidden + ", beyond [" + wide.join("; ") + "]";
}};
phone.srcdoc = {text};
</script>"#
    )
}

fn told(dom: &str) -> &str {
    let start =
        dom.find("<pre id=\"told\">").expect("the probe is there") + "<pre id=\"told\">".len();
    &dom[start..start + dom[start..].find("</pre>").expect("it has an end")]
}

fn page(folder: &Path, name: &str, args: &[&str]) -> PathBuf {
    let file = folder.join(format!("{name}.html"));
    let output = Command::new(command::path())
        .arg("run")
        .args(args)
        .arg(format!("--report=html={}", file.display()))
        .current_dir(folder)
        .output()
        .expect("the command can be started");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    file
}

#[test]
fn a_browser_shows_the_page_on_a_phone_without_a_complaint_and_without_the_network() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut pages = vec![
        ("all", "PASS", "All 10 scenarios hold", vec![]),
        (
            "failing",
            "FAIL",
            "concurrent-users on manager fails",
            vec!["concurrent-users", "--set", "manager.max_concurrent=19"],
        ),
        ("swept", "PASS", "queue on manager holds in 20 seeds", vec!["queue", "--seeds", "0..20"]),
    ];
    if cfg!(tokio_unstable) {
        // A race is bent with tokio's hooks.
        let args = vec!["storm", "--system", "check-then-act", "--seeds", "0..8"];
        pages.push(("told", "FAIL", "How seed 4 comes to fail", args));
    }
    for (name, word, text, args) in pages {
        let page = page(folder.path(), name, &args);
        let shown = show(&browser, &page, folder.path());
        assert_eq!(shown.complaints, Vec::<String>::new(), "{name}");
        assert!(shown.dom.contains(&format!("<p class=\"word\">{word}</p>")), "{name}");
        assert!(shown.dom.contains(text), "{name}: {text}");
        assert_eq!(shown.dom.contains("class=\"chart lanes\""), name == "told", "{name}");

        let probe = folder.path().join(format!("{name}-probe.html"));
        fs::write(&probe, on_a_phone(&fs::read_to_string(&page).unwrap())).unwrap();
        let shown = show(&browser, &probe, folder.path());
        assert_eq!(shown.complaints, Vec::<String>::new(), "{name} on a phone");
        let told = told(&shown.dom);
        let charts = told.split("charts ").nth(1).and_then(|rest| rest.split(',').next());
        let charts: u32 = charts.and_then(|n| n.parse().ok()).expect(told);
        assert!(charts >= 4, "{name}: {told}");
        assert_eq!(told, format!("width {PHONE}, charts {charts}, hidden 0, beyond []"), "{name}");
    }
}

#[test]
fn the_probe_sees_what_is_too_wide_and_the_browser_tells_what_is_fetched() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let broken = "<!DOCTYPE html><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
                  style-src 'unsafe-inline'\"><p class=\"wide\" style=\"width: 500px\">wide</p>\
                  <img src=\"http://127.0.0.1:9/x.png\">";
    let probe = folder.path().join("probe.html");
    fs::write(&probe, on_a_phone(broken)).unwrap();
    let shown = show(&browser, &probe, folder.path());
    assert!(told(&shown.dom).contains("P.wide: wide"), "{}", told(&shown.dom));
    assert!(!shown.complaints.is_empty(), "an image from elsewhere is complained of");
}
