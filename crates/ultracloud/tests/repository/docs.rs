//! Every relative link, picture and anchor in every document leads somewhere.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::tree::{assert_none, files, root, short, text};

/// What a document points at, and what it can be pointed at by.
#[derive(Default)]
struct Document {
    links: Vec<String>,
    anchors: HashSet<String>,
}

fn read(markdown: &str) -> Document {
    let mut document = Document::default();
    let mut heading: Option<String> = None;
    let mut used: HashMap<String, usize> = HashMap::new();
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                document.links.push(dest_url.into_string());
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                document
                    .links
                    .extend(["src", "srcset", "href"].iter().flat_map(|name| attributes(&html, name)));
                document.anchors.extend(attributes(&html, "id"));
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(part) | Event::Code(part) => {
                if let Some(title) = &mut heading {
                    title.push_str(&part);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let anchor = slug(&heading.take().unwrap_or_default());
                let times = used.entry(anchor.clone()).or_default();
                document.anchors.insert(if *times == 0 { anchor } else { format!("{anchor}-{times}") });
                *times += 1;
            }
            _ => {}
        }
    }
    document
}

/// The values of `name="…"`.
fn attributes(html: &str, name: &str) -> Vec<String> {
    let opening = format!(" {name}=\"");
    html.split(&opening).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// A heading's anchor as forges make it: lower case, no punctuation, hyphens for spaces.
fn slug(title: &str) -> String {
    let kept = title.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

fn is_foreign(link: &str) -> bool {
    ["http:", "https:", "mailto:"].iter().any(|scheme| link.starts_with(scheme))
}

fn complaint(from: &Path, link: &str, documents: &HashMap<PathBuf, Document>) -> Option<String> {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = from.parent().expect("a file has a folder");
    let target = if file.is_empty() { from.to_owned() } else { folder.join(file) };
    let broken = |why: &str| Some(format!("{}: the link `{link}` {why}", short(from)));
    let Ok(target) = target.canonicalize() else { return broken("leads to no file") };
    if !target.starts_with(root().canonicalize().expect("the checkout")) {
        return broken("leads out of the checkout");
    }
    match documents.get(&target) {
        Some(document) if !anchor.is_empty() && !document.anchors.contains(anchor) => {
            broken("names an anchor that the document lacks")
        }
        _ => None,
    }
}

#[test]
fn every_link_resolves() {
    let documents: HashMap<PathBuf, Document> =
        files(root(), &|path| path.extension().is_some_and(|e| e == "md"))
            .into_iter()
            .map(|path| (path.canonicalize().expect("it was just listed"), read(&text(&path))))
            .collect();
    assert!(documents.len() > 5, "the documents were not found");
    let mut broken: Vec<String> = documents
        .iter()
        .flat_map(|(path, document)| document.links.iter().map(move |link| (path, link)))
        .filter(|(_, link)| !is_foreign(link))
        .filter_map(|(path, link)| complaint(path, link, &documents))
        .collect();
    broken.sort();
    assert_none(&broken);
}

#[test]
fn headings_become_the_anchors_that_forges_make() {
    let document = read("# Full disk: what now?\n## `uc` & co\n## Again\n## Again\n<a id=\"own\"></a>\n");
    let expected = ["full-disk-what-now", "uc--co", "again", "again-1", "own"];
    assert!(expected.iter().all(|anchor| document.anchors.contains(*anchor)), "{:?}", document.anchors);
}

#[test]
fn a_broken_link_is_noticed() {
    let readme = root().join("README.md").canonicalize().expect("a README");
    let documents = HashMap::from([(readme.clone(), read("# Here\n"))]);
    assert!(complaint(&readme, "#here", &documents).is_none());
    assert!(complaint(&readme, "#there", &documents).is_some());
    assert!(complaint(&readme, "docs/no-such-file.md", &documents).is_some());
    assert!(complaint(&readme, "../outside.md", &documents).is_some());
    let links = read("[a](b.md) ![c](d.svg) <img alt=\"\" src=\"e.svg\">").links;
    assert_eq!(links, ["b.md", "d.svg", "e.svg"]);
}
