use super::*;

fn refusal(text: &str) -> Option<Refusal> {
    Request::parse(text.as_bytes()).err()
}

fn parsed(text: &str) -> Request {
    Request::parse(text.as_bytes()).unwrap_or_else(|refusal| panic!("{text:?}: {refusal}"))
}

#[test]
fn what_git_2_47_asks_is_read() {
    let request = parsed(
        "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=github.com\n\
         username=x-access-token\nwwwauth[]=Basic realm=\"GitHub\"\n\
         state[]=other:1\nstate[]=gastown:abc\n\n",
    );
    assert_eq!(request.protocol(), b"https");
    assert_eq!(request.host(), b"github.com");
    assert_eq!(request.username(), Some(TOKEN_USER.as_bytes()));
    assert!(request.keeps_state());
    assert_eq!(request.states().collect::<Vec<_>>(), [b"other:1".as_slice(), b"gastown:abc"]);
}

#[test]
fn the_end_of_the_input_ends_a_request_too() {
    let request = parsed("protocol=https\nhost=github.com");
    assert_eq!(request.host(), b"github.com");
}

#[test]
fn what_follows_the_blank_line_is_not_read() {
    let request = parsed("protocol=https\r\nhost=github.com\r\n\r\nhost=evil.example\n\0");
    assert_eq!(request.host(), b"github.com");
}

#[test]
fn a_request_is_complete_at_its_blank_line() {
    for text in ["\n", "\r\n", "a=b\n\n", "a=b\r\n\r\n", "a=b\n\nmore"] {
        assert!(is_complete(text.as_bytes()), "{text:?}");
    }
    for text in ["", "a=b\n", "a=b\n\r", "a=b"] {
        assert!(!is_complete(text.as_bytes()), "{text:?}");
    }
}

#[test]
fn unknown_keys_are_ignored_and_may_repeat() {
    let request = parsed("protocol=https\nntlm=suppress\nntlm=allow\n=x\nhost=github.com\n\n");
    assert_eq!(request.host(), b"github.com");
}

#[test]
fn an_empty_array_value_resets_the_list() {
    let request = parsed("protocol=https\nhost=h\ncapability[]=state\ncapability[]=\n\n");
    assert!(!request.keeps_state());
}

#[test]
fn cve_2020_5260_a_key_that_appears_twice_is_refused() {
    for key in SCALARS {
        let text = format!("protocol=https\nhost=github.com\n{key}=\n{key}=x\n\n");
        assert_eq!(refusal(&text), Some(Refusal::Repeated(key)));
    }
}

#[test]
fn cve_2020_11008_a_blank_host_or_protocol_is_refused() {
    assert_eq!(refusal("protocol=https\n\n"), Some(Refusal::NoHost));
    assert_eq!(refusal("protocol=https\nhost=\n\n"), Some(Refusal::NoHost));
    assert_eq!(refusal("host=github.com\n\n"), Some(Refusal::NoProtocol));
    assert_eq!(refusal("protocol=\nhost=github.com\n\n"), Some(Refusal::NoProtocol));
    assert_eq!(refusal("url=https:///path\n\n"), Some(Refusal::NoHost));
    assert_eq!(refusal("url=://github.com/path\n\n"), Some(Refusal::NoProtocol));
    assert_eq!(refusal(""), Some(Refusal::NoProtocol));
}

#[test]
fn cve_2024_50338_a_bare_carriage_return_is_refused() {
    for text in [
        "protocol=https\nhost=github.com\rhost=evil.example\n\n",
        "protocol=https\nhost=github.com\r\r\n\n",
        "protocol=https\nhost=github.com\r",
        "protocol=https\nhost=git\0hub.com\n\n",
        "protocol=https\nhost=github.com\npassword=a\rb\n\n",
    ] {
        assert_eq!(refusal(text), Some(Refusal::StrayByte), "{text:?}");
    }
}

#[test]
fn cve_2024_50349_a_control_byte_is_refused() {
    for key in PLAIN {
        for byte in ['\u{1}', '\t', '\u{1b}', '\u{7f}'] {
            let others: String = ["protocol", "host"]
                .into_iter()
                .filter(|other| *other != key)
                .map(|other| format!("{other}=x\n"))
                .collect();
            let text = format!("{others}{key}=a{byte}b\n\n");
            assert_eq!(refusal(&text), Some(Refusal::ControlByte(key)));
        }
    }
}

#[test]
fn cve_2025_23040_lines_end_at_line_feeds_only() {
    let request = parsed("protocol=https\nhost=github.com\u{2028}host=evil.example\n\n");
    assert_eq!(request.host(), "github.com\u{2028}host=evil.example".as_bytes());
    assert_eq!(refusal("protocol=https\n host\n\n"), Some(Refusal::NotAPair));
}

#[test]
fn a_url_stands_in_for_its_parts() {
    let request = parsed("url=https://alice%40x:p%61ss@github.com:8443/acme/app.git\n\n");
    assert_eq!(request.protocol(), b"https");
    assert_eq!(request.host(), b"github.com:8443");
    assert_eq!(request.username(), Some(b"alice@x".as_slice()));
    assert_eq!(request.get("path"), Some(b"acme/app.git".as_slice()));
    assert_eq!(request.secret().unwrap().expose(), "pass");
}

#[test]
fn a_part_may_repeat_the_url_but_not_contradict_it() {
    parsed("url=https://github.com/a\nhost=github.com\nprotocol=https\npath=a\n\n");
    for (key, value) in [("host", "evil.example"), ("protocol", "http"), ("path", "b")] {
        let text = format!("{key}={value}\nurl=https://github.com/a\n\n");
        assert_eq!(refusal(&text), Some(Refusal::ContradictsUrl(key)));
    }
    let text = "username=bob\nurl=https://alice@github.com/\n\n";
    assert_eq!(refusal(text), Some(Refusal::ContradictsUrl("username")));
}

#[test]
fn cve_2024_53263_an_encoded_line_end_in_a_url_is_refused() {
    let text = "url=https://github.com%0ahost=evil.example/\n\n";
    assert_eq!(refusal(text), Some(Refusal::ControlByte("host")));
    let text = "url=https://github.com/a%0d%00\n\n";
    assert_eq!(refusal(text), Some(Refusal::ControlByte("path")));
    assert_eq!(refusal("url=github.com\n\n"), Some(Refusal::BadUrl));
    assert_eq!(refusal("protocol=https\nhost=h\nurl=\n\n"), Some(Refusal::BadUrl));
}

#[test]
fn cve_2025_48386_over_long_input_is_refused() {
    let long_line = format!("protocol=https\nhost=github.com\nx={}\n\n", "y".repeat(65_534));
    assert_eq!(refusal(&long_line), Some(Refusal::LineTooLong));
    let longest_line = format!("protocol=https\nhost=github.com\nx={}\n\n", "y".repeat(65_533));
    assert_eq!(refusal(&longest_line), None);
    let many_lines = "a=b\n".repeat(LONGEST_REQUEST / 4 + 1);
    assert_eq!(refusal(&many_lines), Some(Refusal::TooLong));
}

#[test]
fn the_rejected_token_is_found_in_either_form() {
    let request = parsed("protocol=https\nhost=h\npassword=ghs_a\n\n");
    assert_eq!(request.secret().unwrap().expose(), "ghs_a");
    // eC1hY2Nlc3MtdG9rZW46Z2hzX2I= is `x-access-token:ghs_b`.
    let request = parsed(
        "protocol=https\nhost=h\nauthtype=Basic\ncredential=eC1hY2Nlc3MtdG9rZW46Z2hzX2I=\n\n",
    );
    assert_eq!(request.secret().unwrap().expose(), "ghs_b");
    for text in ["", "password=\n", "credential=%\n", "credential=Z2hz\n", "password=a b\n"] {
        let request = parsed(&format!("protocol=https\nhost=h\n{text}\n"));
        assert!(request.secret().is_none(), "{text:?}");
    }
}

#[test]
fn an_answer_is_the_lines_git_reads_in_a_fixed_order() {
    let password = Secret::parse(b"ghs_a").unwrap();
    let mut answer =
        Answer { username: TOKEN_USER, password: &password, expires: None, continuation: None };
    assert_eq!(answer.to_bytes().as_slice(), b"username=x-access-token\npassword=ghs_a\n");
    answer.expires = Some(Timestamp::from_millis(1_999));
    answer.continuation = Some(Continuation { state: "gastown:1".into(), may_continue: true });
    assert_eq!(
        String::from_utf8_lossy(&answer.to_bytes()),
        "capability[]=state\nusername=x-access-token\npassword=ghs_a\npassword_expiry_utc=1\n\
         state[]=gastown:1\ncontinue=1\n"
    );
}
