//! A new migration must rebuild the program: `sqlx::migrate!` reads the folder while compiling.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
