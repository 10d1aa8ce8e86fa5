//! Links the compiler's runtime in, so that the binary needs the C library and nothing else.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-static-libgcc");
}
