//! The baseline of all signatures: aws-lc-rs in a loop, on one core.

use std::time::Instant;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};

use crate::SPAN;
use crate::process::numbers;

/// Signatures per second.
pub(crate) struct Raw {
    pub(crate) es256: f64,
    pub(crate) rs256: f64,
}

pub(crate) fn measure() -> Raw {
    let numbers = numbers(&["raw"]);
    Raw { es256: numbers[0], rs256: numbers[1] }
}

/// Prints both rates.
pub(crate) fn run() {
    let random = SystemRandom::new();
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    println!("{}", rate(|| assert!(ec.sign(&random, b"message").is_ok())));
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let mut signature = vec![0; 256];
    println!("{}", rate(|| rsa.sign(&RSA_PKCS1_SHA256, &random, b"message", &mut signature).unwrap()));
}

fn rate(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut done = 0_u64;
    while start.elapsed() < SPAN {
        for _ in 0..16 {
            work();
        }
        done += 16;
    }
    done as f64 / start.elapsed().as_secs_f64()
}
