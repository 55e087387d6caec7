// Package gastown is an oauth2.TokenSource for go-github and others:
//
//	client := github.NewClient(oauth2.NewClient(ctx, gastown.TokenSource()))
package gastown

import (
	"encoding/json"
	"os/exec"
	"time"

	"golang.org/x/oauth2"
)

// Five minutes before the token may die, the helper is asked again.
const margin = 5 * time.Minute

// TokenSource asks git-credential-gastown, and keeps what it answers while that certainly lives.
func TokenSource() oauth2.TokenSource {
	return oauth2.ReuseTokenSourceWithExpiry(nil, helper{}, margin)
}

type helper struct{}

func (helper) Token() (*oauth2.Token, error) {
	output, err := exec.Command("git-credential-gastown", "token", "--json").Output()
	if err != nil {
		return nil, err
	}
	var answer struct {
		Token      string    `json:"token"`
		LivesUntil time.Time `json:"lives_until"`
	}
	if err := json.Unmarshal(output, &answer); err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: answer.Token, Expiry: answer.LivesUntil}, nil
}
