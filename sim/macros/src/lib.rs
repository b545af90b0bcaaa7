//! The attribute `#[hyperlapse::test]`. Use it through the crate `hyperlapse`, which documents it.

mod expand;
mod options;

use proc_macro::TokenStream;
use syn::ItemFn;

// Its documentation stands where it is exported, in `hyperlapse`.
#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    let item = match syn::parse::<ItemFn>(item) {
        Ok(item) => item,
        Err(error) => {
            let message =
                "#[hyperlapse::test] stands on a function: `async fn name(sim: Sim) { … }`";
            return syn::Error::new(error.span(), message).into_compile_error().into();
        }
    };
    let options = syn::parse::<options::Options>(options);
    expand::expand(options, &item).into()
}
