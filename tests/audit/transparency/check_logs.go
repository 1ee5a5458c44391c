// Checks logs with Go's packages for transparency logs: notes, checkpoints, tiles and proofs.
//
// Standard input is a JSON list of logs, as test_other_implementations.py writes it. Standard output is a JSON list
// with the first error of each log (empty if everything is accepted) and its checkpoint, signed by Go again.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type tile struct {
	Level  int
	Index  int64
	Hashes []byte
}

type inclusion struct {
	Position int64
	Leaf     tlog.Hash
	Proof    []tlog.Hash
}

type consistency struct {
	Size  int64
	Root  tlog.Hash
	Proof []tlog.Hash
}

type log struct {
	PrivateKey  string
	PublicKey   string
	Note        string
	FirstKept   int64
	Tiles       []tile
	Inclusion   []inclusion
	Consistency []consistency
}

type result struct {
	Error string
	Note  string
}

// The reader of tiles serves a tile cut to the requested width, as the specification of tiles demands of clients.
type reader map[[2]int64][]byte

func (r reader) Height() int { return height }

func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, t := range tiles {
		hashes := r[[2]int64{int64(t.L), t.N}]
		if len(hashes) < t.W*tlog.HashSize {
			return nil, fmt.Errorf("the tile %s is missing or too short", t.Path())
		}
		data = append(data, hashes[:t.W*tlog.HashSize])
	}
	return data, nil
}

func check(l log) (string, error) {
	verifier, err := note.NewVerifier(l.PublicKey)
	if err != nil {
		return "", err
	}
	opened, err := note.Open([]byte(l.Note), note.VerifierList(verifier))
	if err != nil {
		return "", err
	}
	tree, err := tlog.ParseTree([]byte(opened.Text))
	if err != nil {
		return "", err
	}
	if !bytes.Equal(tlog.FormatTree(tree), []byte(opened.Text)) {
		return "", errors.New("Go writes another checkpoint")
	}
	if err := checkTiles(l, tree); err != nil {
		return "", err
	}
	signer, err := note.NewSigner(l.PrivateKey)
	if err != nil {
		return "", err
	}
	signed, err := note.Sign(&note.Note{Text: opened.Text}, signer)
	return string(signed), err
}

func checkTiles(l log, tree tlog.Tree) error {
	tiles := reader{}
	for _, t := range l.Tiles {
		tiles[[2]int64{int64(t.Level), t.Index}] = t.Hashes
	}
	// This reader compares each tile with the root of the tree.
	hashes := tlog.TileHashReader(tree, tiles)
	root, err := tlog.TreeHash(tree.N, hashes)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return errors.New("the root of the tiles is not the root of the checkpoint")
	}
	leaves := make([]int64, tree.N-l.FirstKept)
	for i := range leaves {
		leaves[i] = tlog.StoredHashIndex(0, l.FirstKept+int64(i))
	}
	if _, err := hashes.ReadHashes(leaves); err != nil {
		return err
	}
	return checkProofs(l, tree, hashes)
}

func checkProofs(l log, tree tlog.Tree, hashes tlog.HashReader) error {
	for _, proof := range l.Inclusion {
		if err := tlog.CheckRecord(proof.Proof, tree.N, tree.Hash, proof.Position, proof.Leaf); err != nil {
			return fmt.Errorf("position %d: %w", proof.Position, err)
		}
		own, err := tlog.ProveRecord(tree.N, proof.Position, hashes)
		if err != nil || !reflect.DeepEqual([]tlog.Hash(own), proof.Proof) {
			return fmt.Errorf("position %d: Go has another proof (%v)", proof.Position, err)
		}
	}
	for _, proof := range l.Consistency {
		if err := tlog.CheckTree(proof.Proof, tree.N, tree.Hash, proof.Size, proof.Root); err != nil {
			return fmt.Errorf("size %d: %w", proof.Size, err)
		}
		own, err := tlog.ProveTree(tree.N, proof.Size, hashes)
		if err != nil || !reflect.DeepEqual([]tlog.Hash(own), proof.Proof) {
			return fmt.Errorf("size %d: Go has another proof (%v)", proof.Size, err)
		}
	}
	return nil
}

func main() {
	var logs []log
	if err := json.NewDecoder(os.Stdin).Decode(&logs); err != nil {
		panic(err)
	}
	results := make([]result, len(logs))
	for i, l := range logs {
		signed, err := check(l)
		results[i].Note = signed
		if err != nil {
			results[i].Error = err.Error()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		panic(err)
	}
}
