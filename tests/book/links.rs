//! Every relative link points to something, on a page of the repository as in the book.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::pages::{self, Page, root};

/// Where the links of a text go: what stands in `](…)`.
fn targets(prose: &str) -> impl Iterator<Item = (usize, &str)> {
    prose.lines().enumerate().flat_map(|(number, line)| {
        let behind = line.split("](").skip(1);
        behind.filter_map(move |rest| Some((number + 1, rest.split_once(')')?.0)))
    })
}

/// The anchors of a page: its headings as GitHub and mdBook both make them into words of an address.
fn anchors(page: &Page) -> Vec<String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let mut anchors = Vec::new();
    let mut in_block = false;
    for line in page.text.lines() {
        in_block ^= line.trim_start().starts_with("```");
        let Some(heading) = line.strip_prefix('#').filter(|_| !in_block) else { continue };
        let mut anchor = String::new();
        for c in heading.trim_start_matches('#').trim().chars() {
            match c {
                ' ' => anchor.push('-'),
                '-' | '_' => anchor.push(c),
                c if c.is_alphanumeric() => anchor.extend(c.to_lowercase()),
                _ => {}
            }
        }
        let again = seen.entry(anchor.clone()).or_default();
        if *again > 0 {
            anchor += &format!("-{again}");
        }
        *again += 1;
        anchors.push(anchor);
    }
    anchors
}

/// `folder/../file` as `file`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                assert!(plain.pop(), "{} leaves the repository", path.display())
            }
            part => plain.push(part),
        }
    }
    plain
}

/// What is wrong with the links of a page.
fn wrong(page: &Page, pages: &[Page]) -> Vec<String> {
    let mut wrong = Vec::new();
    let in_book = page.path.starts_with("docs/");
    for (line, target) in targets(&page.prose()) {
        if target.contains("://") {
            continue;
        }
        let (file, anchor) = target.split_once('#').map_or((target, None), |(f, a)| (f, Some(a)));
        let path = match file {
            "" => page.path.clone().into(),
            file => plain(&Path::new(&page.path).parent().unwrap().join(file)),
        };
        let mut no = |why: &str| wrong.push(format!("{}:{line}: {target} {why}", page.path));
        let there = pages.iter().find(|page| Path::new(&page.path) == path);
        if there.is_none() && !root().join(&path).exists() {
            no("is not there");
        } else if in_book && !path.starts_with("docs") && file.ends_with(".md") {
            // mdBook would make a page of it, which is not there. Those to files and folders it leaves alone.
            no("leaves the book; name its folder");
        } else if let Some(anchor) = anchor
            && !there.is_some_and(|page| anchors(page).iter().any(|there| there == anchor))
        {
            no("has no such heading");
        }
    }
    wrong
}

#[test]
fn every_relative_link_points_to_something() {
    let pages = pages::all();
    let wrong: Vec<String> = pages.iter().flat_map(|page| wrong(page, &pages)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let count: usize = pages.iter().map(|page| targets(&page.prose()).count()).sum();
    assert!(count > 100, "only {count} links were seen");
}

#[test]
fn what_is_wrong_with_a_link_is_seen() {
    let page = |path: &str, text: &str| Page { path: path.into(), text: text.into() };
    let text = "# A `b` (c)\n[a](#a-b-c) [b](nosuch.md) [c](#nosuch) [d](../README.md) [e](../ci) [f](x.md#a-b-c)\n\
                an `odd` number of `ticks\nin this` line [g](gone.md) `[h](code.md)`\n";
    let wrong = wrong(&page("docs/x.md", text), &[page("docs/x.md", text)]);
    let told = [
        "docs/x.md:2: nosuch.md is not there",
        "docs/x.md:2: #nosuch has no such heading",
        "docs/x.md:2: ../README.md leaves the book; name its folder",
        "docs/x.md:4: gone.md is not there",
    ];
    assert_eq!(wrong, told);
}

/// Pages of the book that its contents do not name are not rendered: links to them would lead nowhere.
#[test]
fn the_contents_name_every_page_once() {
    let contents = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let mut named: Vec<String> =
        targets(&contents).map(|(_, target)| format!("docs/{target}")).collect();
    named.sort();
    let pages: Vec<String> = pages::book().into_iter().map(|page| page.path).collect();
    assert_eq!(named, pages);
}
