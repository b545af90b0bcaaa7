//! The function that cargo runs, around the one that was written.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result, ReturnType};

use crate::options::Options;

/// The test; with errors for whatever is wrong, and a function all the same, so that there is nothing else to complain about.
pub(crate) fn expand(options: Result<Options>, item: &ItemFn) -> TokenStream {
    let suite = gives_a_suite(item);
    let misplaced = options.as_ref().ok().filter(|_| suite).and_then(|it| it.for_suites().err());
    let wrong = [options.as_ref().err().cloned(), misplaced, check(item).err()];
    let wrong = wrong.into_iter().flatten().reduce(|mut all, error| {
        all.combine(error);
        all
    });
    if let Some(wrong) = wrong {
        return wrong.into_compile_error();
    }
    let options = options.unwrap_or_default();
    if suite {
        return of_suite(&options, item);
    }
    let Options { framework, calls, main, given: _ } = options;
    let ItemFn { attrs, vis, modifiers: _, sig, block } = item;
    let (name, inputs, output) = (&sig.ident, &sig.inputs, &sig.output);
    let word = name.unraw().to_string();
    let body = match inputs.is_empty() {
        true => quote!(|_| body()),
        false => quote!(body),
    };
    // What comes between the test and its body, with the name of what is called: the body's own place, for what it lacks (`Send`
    // above all) is said of the test's name.
    let at = at(&word);
    let test = |call: TokenStream| {
        let call = quote_spanned!(name.span()=> .#call(#body));
        quote! {
            async fn body(#inputs) #output #block

            #framework::Test::#at #calls #call
        }
    };
    let (run, program) = (test(quote!(run)), test(quote!(main)));
    let program = main.then(|| {
        quote! {
            #[cfg(not(test))]
            fn main() -> ::std::process::ExitCode {
                #program
            }
        }
    });
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis fn #name() {
            #run;
        }

        #program
    }
}

/// The test that plays the suite that a function gives.
fn of_suite(options: &Options, item: &ItemFn) -> TokenStream {
    let Options { framework, calls, .. } = options;
    let ItemFn { attrs, vis, modifiers: _, sig, block } = item;
    let (name, output) = (&sig.ident, &sig.output);
    let at = at(&name.unraw().to_string());
    // At the place of the type, for it may be none that is a suite.
    let run = quote_spanned!(output.span()=> .run(suite()));
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis fn #name() {
            fn suite() #output #block

            #framework::SuiteTest::#at #calls #run;
        }
    }
}

/// The call that makes a test of this name.
fn at(name: &str) -> TokenStream {
    quote! {
        at(
            ::core::concat!(::core::module_path!(), "::", #name),
            ::core::env!("CARGO_PKG_NAME"),
            ::core::env!("CARGO_MANIFEST_DIR"),
        )
    }
}

/// Whether it is a function that gives a suite: not async, without arguments, and it ends with something.
fn gives_a_suite(item: &ItemFn) -> bool {
    let sig = &item.sig;
    let ends_with = !matches!(sig.output, ReturnType::Default);
    sig.asyncness.is_none() && sig.inputs.is_empty() && ends_with
}

/// Whether the function is one that can be a test.
fn check(item: &ItemFn) -> Result<()> {
    let sig = &item.sig;
    if sig.asyncness.is_none() && !gives_a_suite(item) {
        let message = "a test of hyperlapse is an `async fn`, or gives a suite: `fn name() -> Suite<MyPool>`; one that is \
                       neither can call `hyperlapse::Test`";
        return Err(Error::new(sig.fn_token.span(), message));
    }
    if !sig.generics.params.is_empty() {
        return Err(Error::new(sig.generics.span(), "a test has no generic parameters"));
    }
    if sig.inputs.len() > 1 {
        let message = "a test has one argument, the simulation: `sim: Sim`";
        return Err(Error::new(sig.inputs.span(), message));
    }
    Ok(())
}
