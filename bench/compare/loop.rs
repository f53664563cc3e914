//! The same as loop.c, in Rust.

use std::fs::{self, DirEntry, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;
use std::process::ExitCode;

const BLOCK: usize = 128 * 1024;

struct Loop {
    block_a: Vec<u8>,
    block_b: Vec<u8>,
}

/// Reads until the block is full or the file ends.
fn read_block(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    let mut size = 0;
    while size < block.len() {
        match file.read(&mut block[size..]) {
            Ok(0) => break,
            Ok(more) => size += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(size)
}

fn listed(path: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

impl Loop {
    fn same_files(&mut self, a: &Path, b: &Path) -> io::Result<bool> {
        let (mut a, mut b) = (File::open(a)?, File::open(b)?);
        loop {
            let size = read_block(&mut a, &mut self.block_a)?;
            let other = read_block(&mut b, &mut self.block_b)?;
            if self.block_a[..size] != self.block_b[..other] {
                return Ok(false);
            }
            if size < BLOCK {
                return Ok(true);
            }
        }
    }

    fn same_trees(&mut self, a: &Path, b: &Path) -> io::Result<bool> {
        let (entries_a, entries_b) = (listed(a)?, listed(b)?);
        if entries_a.len() != entries_b.len() {
            return Ok(false);
        }
        for (a, b) in entries_a.iter().zip(&entries_b) {
            let kind = a.file_type()?;
            if a.file_name() != b.file_name() || kind != b.file_type()? {
                return Ok(false);
            }
            let same = if kind.is_dir() {
                self.same_trees(&a.path(), &b.path())?
            } else {
                self.same_files(&a.path(), &b.path())?
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn same_pairs(&mut self, list: &Path) -> io::Result<bool> {
        for line in BufReader::new(File::open(list)?).lines() {
            let line = line?;
            let (a, b) = line.split_once('\t').ok_or(ErrorKind::InvalidData)?;
            if !self.same_files(Path::new(a), Path::new(b))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn same(&mut self, a: &str, b: &str) -> io::Result<bool> {
        let (top_a, top_b) = (Path::new(a), Path::new(b));
        if a == "-l" {
            self.same_pairs(top_b)
        } else if top_a.is_dir() {
            self.same_trees(top_a, top_b)
        } else {
            self.same_files(top_a, top_b)
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 3 {
        eprintln!("usage: loop A B | loop -l LIST");
        return ExitCode::from(2);
    }
    let mut state = Loop {
        block_a: vec![0; BLOCK],
        block_b: vec![0; BLOCK],
    };
    match state.same(&arguments[1], &arguments[2]) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
