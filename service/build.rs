//! A new migration must rebuild the program: `sqlx::migrate!` reads the folder while compiling. So must a new build of the web app.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=../app/dist");
}
