// The same as loop.c, in Go.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const blockSize = 128 * 1024

var blockA, blockB = make([]byte, blockSize), make([]byte, blockSize)

// readBlock reads until the block is full or the file ends.
func readBlock(file *os.File, block []byte) ([]byte, error) {
	size, err := io.ReadFull(file, block)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return block[:size], err
}

func sameFiles(pathA, pathB string) (bool, error) {
	fileA, err := os.Open(pathA)
	if err != nil {
		return false, err
	}
	defer fileA.Close()
	fileB, err := os.Open(pathB)
	if err != nil {
		return false, err
	}
	defer fileB.Close()
	for {
		a, errA := readBlock(fileA, blockA)
		b, errB := readBlock(fileB, blockB)
		if errA != nil {
			return false, errA
		}
		if errB != nil {
			return false, errB
		}
		if !bytes.Equal(a, b) {
			return false, nil
		}
		if len(a) < blockSize {
			return true, nil
		}
	}
}

func sameTrees(pathA, pathB string) (bool, error) {
	entriesA, err := os.ReadDir(pathA) // sorted
	if err != nil {
		return false, err
	}
	entriesB, err := os.ReadDir(pathB)
	if err != nil {
		return false, err
	}
	if len(entriesA) != len(entriesB) {
		return false, nil
	}
	for i, a := range entriesA {
		b := entriesB[i]
		if a.Name() != b.Name() || a.Type() != b.Type() {
			return false, nil
		}
		compare := sameFiles
		if a.IsDir() {
			compare = sameTrees
		}
		same, err := compare(filepath.Join(pathA, a.Name()), filepath.Join(pathB, b.Name()))
		if err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

func samePairs(path string) (bool, error) {
	list, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer list.Close()
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		a, b, _ := strings.Cut(lines.Text(), "\t")
		same, err := sameFiles(a, b)
		if err != nil || !same {
			return false, err
		}
	}
	return true, lines.Err()
}

func same(a, b string) (bool, error) {
	if a == "-l" {
		return samePairs(b)
	}
	info, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	if info.IsDir() {
		return sameTrees(a, b)
	}
	return sameFiles(a, b)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: loop A B | loop -l LIST")
		os.Exit(2)
	}
	answer, err := same(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !answer {
		os.Exit(1)
	}
}
