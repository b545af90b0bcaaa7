//! What stands in the brackets behind the attribute.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Result, Token};

/// The names that there are, as an error lists them.
const NAMES: [&str; 11] = [
    "seeds",
    "workload",
    "strategy",
    "decisions",
    "thresholds",
    "properties",
    "deadline",
    "scenario",
    "isolate",
    "main",
    "crate",
];

/// Those of a test that gives a suite, whose scenarios say the rest.
const OF_SUITES: [&str; 4] = ["seeds", "strategy", "isolate", "crate"];

/// What bends runs; `hyperlapse` has a test that these are its own.
const STRATEGIES: [&str; 6] = ["none", "random", "pct", "starve", "mixed", "cancel-each"];

/// The options of one test.
pub(crate) struct Options {
    /// Where the framework is found.
    pub(crate) framework: TokenStream,
    /// The calls on the test that they come to.
    pub(crate) calls: TokenStream,
    /// Whether it is a program as well.
    pub(crate) main: bool,
    /// Their names, as they stand there.
    pub(crate) given: Vec<Ident>,
}

impl Default for Options {
    fn default() -> Self {
        let (framework, calls) = (quote!(::hyperlapse), TokenStream::new());
        Self { framework, calls, main: false, given: Vec::new() }
    }
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        let mut wrong = None::<Error>;
        while !input.is_empty() {
            let name = Ident::parse_any(input)?;
            // All that is wrong is told at once, as far as it can be read.
            if let Err(error) = options.one(&name, input) {
                match &mut wrong {
                    Some(wrong) => wrong.combine(error),
                    None => wrong = Some(error),
                }
                while !input.is_empty() && !input.peek(Token![,]) {
                    input.parse::<proc_macro2::TokenTree>()?;
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        wrong.map_or(Ok(options), Err)
    }
}

impl Options {
    /// Whether all of them are for a test that gives a suite.
    pub(crate) fn for_suites(&self) -> Result<()> {
        let other = self.given.iter().filter(|name| !OF_SUITES.iter().any(|of| name.unraw() == of));
        let wrong = other.map(|name| {
            let message = format!(
                "`{}` is of an async test; the scenarios of a suite say it themselves. There are {}",
                name.unraw(),
                OF_SUITES.join(", ")
            );
            Error::new(name.span(), message)
        });
        let wrong = wrong.reduce(|mut all, error| {
            all.combine(error);
            all
        });
        wrong.map_or(Ok(()), Err)
    }

    fn one(&mut self, name: &Ident, input: ParseStream<'_>) -> Result<()> {
        let word = name.unraw().to_string();
        if !NAMES.contains(&word.as_str()) {
            let message = format!("there is no option `{word}`; there are {}", NAMES.join(", "));
            return Err(Error::new(name.span(), message));
        }
        if self.given.iter().any(|given| given.unraw() == word) {
            return Err(Error::new(name.span(), format!("`{word}` is given twice")));
        }
        self.given.push(name.clone());
        if word == "isolate" && !input.peek(Token![=]) {
            self.calls.extend(quote!(.isolate(true)));
            return Ok(());
        }
        if word == "main" {
            self.main = true;
            return match input.peek(Token![=]) {
                true => Err(input.error("`main` has no value")),
                false => Ok(()),
            };
        }
        if !input.peek(Token![=]) {
            return Err(Error::new(
                name.span(),
                format!("expected a value: `{word} = {}`", example(&word)),
            ));
        }
        input.parse::<Token![=]>()?;
        if word == "crate" {
            let path = match input.peek(LitStr) {
                true => input.parse::<LitStr>()?.parse::<Path>()?,
                false => input.parse::<Path>()?,
            };
            self.framework = quote!(#path);
            return Ok(());
        }
        let value: Expr = input.parse()?;
        self.calls.extend(call(&word, &value)?);
        Ok(())
    }
}

/// What a value looks like.
fn example(option: &str) -> &'static str {
    match option {
        "seeds" => "500",
        "workload" => "AllAtOnce::users(5)",
        "strategy" => "\"random\"",
        "decisions" => "[\"yield\", \"cancel\"]",
        "thresholds" => "[\"response.p95 < 300ms\"]",
        "properties" => "[ALL_BACK]",
        "deadline" => "\"60s\"",
        "scenario" => "include_str!(\"faults.toml\")",
        "isolate" => "true",
        _ => "hyperlapse",
    }
}

/// The call that an option comes to.
fn call(option: &str, value: &Expr) -> Result<TokenStream> {
    let span = value.span();
    Ok(match option {
        "seeds" => seeds(value)?,
        "workload" => match text(value) {
            Some(entries) => quote_spanned!(span=> .workload_text(#entries)),
            None => quote_spanned!(span=> .workload(#value)),
        },
        "strategy" => {
            let name = expect_text(option, value)?;
            if !STRATEGIES.contains(&name.value().as_str()) {
                let message = format!(
                    "there is no strategy `{}`; there are {}",
                    name.value(),
                    STRATEGIES.join(", ")
                );
                return Err(Error::new(span, message));
            }
            quote_spanned!(span=> .strategy(#name))
        }
        "decisions" => {
            let kinds = expect_list(option, value)?;
            quote_spanned!(span=> .decisions::<&str>([#(#kinds),*]))
        }
        "thresholds" => {
            let all = expect_list(option, value)?;
            quote_spanned!(span=> #(.threshold(#all))*)
        }
        "properties" => {
            let all = expect_list(option, value)?;
            // A place of its own in memory, which the framework keeps for as long as the process.
            quote_spanned!(span=> .properties(const { &[#(#all),*] }))
        }
        "deadline" => deadline(value)?,
        "scenario" => quote_spanned!(span=> .scenario(#value)),
        "isolate" => match value {
            Expr::Lit(ExprLit { lit: Lit::Bool(_), .. }) => {
                quote_spanned!(span=> .isolate(#value))
            }
            _ => return Err(expected(option, span)),
        },
        _ => unreachable!("it is one of the names"),
    })
}

fn seeds(value: &Expr) -> Result<TokenStream> {
    let span = value.span();
    let none = |digits: &syn::LitInt| digits.base10_parse::<u64>().is_ok_and(|count| count == 0);
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(count), .. }) if none(count) => {
            Err(Error::new(span, "a test without seeds could not fail"))
        }
        Expr::Lit(ExprLit { lit: Lit::Int(_), .. }) => {
            Ok(quote_spanned!(span=> .seeds({ let seeds: u64 = #value; seeds })))
        }
        Expr::Lit(_) => Err(expected("seeds", span)),
        Expr::Range(_) => Ok(
            quote_spanned!(span=> .seeds({ let seeds: ::core::ops::Range<u64> = #value; seeds })),
        ),
        _ => Ok(quote_spanned!(span=> .seeds(#value))),
    }
}

fn deadline(value: &Expr) -> Result<TokenStream> {
    let span = value.span();
    match text(value) {
        Some(time) => {
            let parsed = humantime::parse_duration(&time.value());
            let positive = parsed.ok().filter(|time| !time.is_zero());
            let Some(nanos) = positive.and_then(|time| u64::try_from(time.as_nanos()).ok()) else {
                return Err(expected("deadline", span));
            };
            Ok(quote_spanned!(span=> .deadline(::core::time::Duration::from_nanos(#nanos))))
        }
        None => match value {
            Expr::Lit(_) => Err(expected("deadline", span)),
            _ => Ok(quote_spanned!(span=> .deadline(#value))),
        },
    }
}

fn expected(option: &str, span: Span) -> Error {
    Error::new(span, format!("expected something like `{option} = {}`", example(option)))
}

fn text(value: &Expr) -> Option<&LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    }
}

fn expect_text<'a>(option: &str, value: &'a Expr) -> Result<&'a LitStr> {
    text(value).ok_or_else(|| expected(option, value.span()))
}

fn expect_list<'a>(option: &str, value: &'a Expr) -> Result<Vec<&'a Expr>> {
    match value {
        Expr::Array(array) => Ok(array.elems.iter().collect()),
        _ => Err(expected(option, value.span())),
    }
}
