#include "transfer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "../fs/platform.hpp"
#include "address.hpp"
#include "proxy.hpp"
#include "sockets.hpp"

namespace filetree {
namespace {

using http::Clock;

constexpr unsigned most_redirects = 10;
constexpr std::size_t most_bytes_ahead = std::size_t{1} << 20U;
constexpr std::size_t most_head_bytes = std::size_t{256} << 10U;
// Of an answer that is not wanted, read so that the connection can be used again.
constexpr std::uint64_t most_discarded = std::uint64_t{64} << 10U;
constexpr std::chrono::milliseconds discarding_time{500};
constexpr long longest_timeout = 1'000'000'000;  // milliseconds; libcurl takes no more than int
constexpr long receive_buffer = 256L << 10U;

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(easy, option, value);
    if (code == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
    if (code != CURLE_OK) {
        throw HttpError(EINVAL, "libcurl refuses option " + std::to_string(option) + ": " +
                                    curl_easy_strerror(code));
    }
}

}  // namespace

HttpTransfer::HttpTransfer(HttpRequest request, std::function<void()> on_change)
    : request_(std::move(request)),
      on_change_(std::move(on_change)),
      url_(request_.url),
      first_origin_(url_.origin()) {}

// --- the caller's --------------------------------------------------------------------------------

HttpTransfer::Found HttpTransfer::look(std::vector<char>& bytes) {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    Found found;
    std::swap(bytes, come_);
    found.head = head_ ? &*head_ : nullptr;
    found.coding = coding_;
    found.complete = complete_;
    found.any = !bytes.empty() || (head_ && !std::exchange(head_told_, true)) ||
                (complete_ && !std::exchange(end_told_, true));
    caller_waits_ = !found.any && !complete_;
    found.resume = std::exchange(full_, false);
    return found;
}

// Changes what the caller sees, and calls it when it waits for that.
void HttpTransfer::publish(const std::function<void()>& change) {
    bool call = false;
    {
        const std::lock_guard lock(mutex_);
        change();
        call = std::exchange(caller_waits_, false);
    }
    if (call && !cancelled()) on_change_();
}

// --- the client's --------------------------------------------------------------------------------

void HttpTransfer::client_begin(http::EasyHandle handle) {
    easy_ = std::move(handle);
    answer_ = {};
    head_complete_ = false;
    head_bytes_ = 0;
    body_ = Body::discarded;
    received_ = 0;
    expected_.reset();
    paused_ = false;
    wrong_.reset();
    socket_ = CURL_SOCKET_BAD;
    begun_ = last_activity_ = Clock::now();
    set_up(easy_.get());
}

void HttpTransfer::set_up(CURL* easy) {
    set_request(easy);
    set_tls(easy);
    set_proxy(easy);
    set_headers(easy);
    set_callbacks(easy);
    const bool here = url_.host() == "localhost" || url_.host().ends_with(".localhost");
    if (judges_addresses() &&
        (here || http::kind_of_host(url_.host()) == http::AddressKind::other_address)) {
        throw error(EACCES, "its address is not public");
    }
}

void HttpTransfer::set_request(CURL* easy) {
    set(easy, CURLOPT_URL, url_.text().c_str());
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_QUICK_EXIT, 1L);
    set(easy, CURLOPT_BUFFERSIZE, receive_buffer);
    set(easy, CURLOPT_FRESH_CONNECT, fresh_ ? 1L : 0L);
    // The client's clock decides; libcurl gives each of several addresses its part of this.
    const auto timeout =
        std::chrono::ceil<std::chrono::milliseconds>(request_.options->timeout).count();
    set(easy, CURLOPT_CONNECTTIMEOUT_MS,
        timeout > 0 ? std::min<long>(timeout, longest_timeout) : longest_timeout);
    if (request_.range) {
        const HttpRange& range = *request_.range;
        const std::string last = range.last ? std::to_string(*range.last) : std::string();
        set(easy, CURLOPT_RANGE, (std::to_string(range.first) + "-" + last).c_str());
    }
}

void HttpTransfer::set_tls(CURL* easy) {
    const HttpOptions& options = *request_.options;
    set(easy, CURLOPT_SSL_VERIFYPEER, options.verify_tls ? 1L : 0L);
    set(easy, CURLOPT_SSL_VERIFYHOST, options.verify_tls ? 2L : 0L);
    if (options.ca_file.empty()) return;
    set(easy, CURLOPT_CAINFO, options.ca_file.c_str());
    set(easy, CURLOPT_PROXY_CAINFO, options.ca_file.c_str());
    // These would be trusted as well.
    set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    set(easy, CURLOPT_PROXY_CAPATH, static_cast<const char*>(nullptr));
}

void HttpTransfer::set_proxy(CURL* easy) {
    proxy_ = http::proxy_of(url_, request_.options->proxies);
    set(easy, CURLOPT_PROXY, proxy_.c_str());
    set(easy, CURLOPT_NOPROXY, "");
    set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

void HttpTransfer::set_headers(CURL* easy) {
    set(easy, CURLOPT_USERAGENT, "komparu");
    set(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    // Sends just that; if a server encodes all the same, the stream decodes.
    set(easy, CURLOPT_ACCEPT_ENCODING, "identity");
    set(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    headers_.reset();
    const auto add_header = [this](const std::string& line) {
        curl_slist* const longer = curl_slist_append(headers_.get(), line.c_str());
        if (longer == nullptr) throw std::bad_alloc();
        (void)headers_.release();
        headers_.reset(longer);
    };
    if (!has_left_) {
        for (const auto& [name, value] : request_.options->headers) {
            // libcurl's way to send a header without a value.
            std::string line = name;
            line += value.empty() ? ";" : ": ";
            add_header(line += value);
        }
    }
    set(easy, CURLOPT_HTTPHEADER, headers_.get());
    set(easy, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));  // not for proxies
}

void HttpTransfer::set_callbacks(CURL* easy) {
    void* const self = this;
    set(easy, CURLOPT_PRIVATE, self);
    set(easy, CURLOPT_HEADERFUNCTION, &on_header);
    set(easy, CURLOPT_HEADERDATA, self);
    set(easy, CURLOPT_WRITEFUNCTION, &on_body);
    set(easy, CURLOPT_WRITEDATA, self);
    set(easy, CURLOPT_OPENSOCKETFUNCTION, &on_socket);
    set(easy, CURLOPT_OPENSOCKETDATA, self);
    set(easy, CURLOPT_CLOSESOCKETFUNCTION, &on_close);
    set(easy, CURLOPT_PREREQFUNCTION, &on_connected);
    set(easy, CURLOPT_PREREQDATA, self);
    set(easy, CURLOPT_DEBUGFUNCTION, &on_debug);
    set(easy, CURLOPT_DEBUGDATA, self);
    set(easy, CURLOPT_VERBOSE, 1L);
}

bool HttpTransfer::judges_addresses() const noexcept {
    const HttpOptions& options = *request_.options;
    return hops_ == 0 ? options.block_private
                      : options.block_private || !options.allow_private_redirects;
}

curl_socket_t HttpTransfer::on_socket(void* self, curlsocktype /*purpose*/,
                                      curl_sockaddr* address) {
    HttpTransfer& transfer = *static_cast<HttpTransfer*>(self);
    if (transfer.proxy_.empty() && transfer.judges_addresses() && !http::is_public(address->addr)) {
        transfer.wrong_ = transfer.error(EACCES, "its address is not public");
        return CURL_SOCKET_BAD;
    }
    const curl_socket_t made =
        platform::open_socket(address->family, address->socktype, address->protocol);
    if (made < 0) {
        transfer.wrong_ = transfer.error(errno, std::strerror(errno));
        return CURL_SOCKET_BAD;
    }
    http::note_socket(made);
    return made;
}

int HttpTransfer::on_close(void* /*self*/, curl_socket_t socket) {
    http::close_socket(socket);
    return 0;
}

// Also of a connection that another transfer has opened.
int HttpTransfer::on_connected(void* self, char* address, char* local, int port, int local_port) {
    HttpTransfer& transfer = *static_cast<HttpTransfer*>(self);
    transfer.last_activity_ = Clock::now();
    transfer.wrong_.reset();  // of other addresses that were tried before
    if (transfer.proxy_.empty() && transfer.judges_addresses() &&
        http::kind_of_host(address) != http::AddressKind::public_address) {
        transfer.wrong_ = transfer.error(EACCES, "its address is not public");
        return CURL_PREREQFUNC_ABORT;
    }
    const bool encrypted = transfer.url_.scheme() == "https" || http::is_https(transfer.proxy_);
    if (!encrypted) {
        transfer.socket_ = http::find_socket({address, port, local, local_port});
        if (http::has_input(transfer.socket_)) {  // an answer to no question
            transfer.wrong_ = transfer.error(EPROTO, "it answers before it is asked");
            transfer.stale_ = !transfer.fresh_;
            return CURL_PREREQFUNC_ABORT;
        }
    }
    return CURL_PREREQFUNC_OK;
}

// libcurl ends the connection when it reads more than was promised, and says it only here.
int HttpTransfer::on_debug(CURL* /*handle*/, curl_infotype kind, char* text, std::size_t size,
                           void* self) {
    if (kind != CURLINFO_TEXT) return 0;
    if (std::string_view(text, size).find("Excess found") == std::string_view::npos) return 0;
    HttpTransfer& transfer = *static_cast<HttpTransfer*>(self);
    if (transfer.body_ == Body::content) {
        transfer.wrong_ = transfer.error(EPROTO, "the body is longer than promised");
    }
    return 0;
}

std::size_t HttpTransfer::on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
    HttpTransfer& transfer = *static_cast<HttpTransfer*>(self);
    const std::string_view line(bytes, size * count);
    transfer.head_bytes_ += line.size();
    if (transfer.cancelled()) return transfer.refuse();
    if (transfer.head_bytes_ > most_head_bytes) {
        transfer.wrong_ = transfer.error(EPROTO, "its headers are too long");
        return transfer.refuse();
    }
    if (transfer.head_complete_) return line.size();  // a trailer
    if (line.starts_with("HTTP/")) {
        long status = 0;
        curl_easy_getinfo(transfer.easy_.get(), CURLINFO_RESPONSE_CODE, &status);
        transfer.answer_ = http::Answer(static_cast<int>(status));
        return line.size();
    }
    if (!http::trimmed(line).empty()) {
        transfer.answer_.add(line);
        return line.size();
    }
    if (transfer.answer_.status < 200) return line.size();  // another one follows
    transfer.head_complete_ = true;
    transfer.head_came_ = transfer.last_activity_ = Clock::now();
    try {
        transfer.judge_head();
    } catch (const http::BadAnswer& bad) {
        transfer.wrong_ = transfer.error(EPROTO, bad.what());
    } catch (const HttpError& error) {
        transfer.wrong_ = error;
    }
    return line.size();
}

bool HttpTransfer::is_redirect() const noexcept {
    constexpr int statuses[] = {301, 302, 303, 307, 308};
    return request_.options->follow_redirects && !answer_.location.empty() &&
           std::ranges::find(statuses, answer_.status) != std::end(statuses);
}

void HttpTransfer::judge_head() {
    if (is_redirect()) return;
    const int status = answer_.status;
    const bool part = status == 206 && request_.range;
    if (!part && status != 200 && status != 203) {
        const bool denied = status == 401 || status == 403 || status == 407;
        const bool missing = status == 404 || status == 410;
        std::string what = "the server answers " + std::to_string(status);
        if (status / 100 == 3 && !request_.options->follow_redirects) {
            what += ", a redirect, which is not to be followed";
        }
        throw error(denied ? EACCES : missing ? ENOENT : EIO, what, status);
    }
    HttpHead head = part ? answer_.part(*request_.range) : answer_.whole();
    expected_ = part ? answer_.length_of_part() : answer_.length();
    body_ = Body::content;
    publish([&] {
        head_ = std::move(head);
        coding_ = answer_.coding();
    });
    if (expected_ == 0U) expect_no_more();
}

// libcurl seldom reads more than was promised, and then says so, see on_debug.
void HttpTransfer::expect_no_more() {
    if (http::has_input(socket_)) wrong_ = error(EPROTO, "the body is longer than promised");
}

std::size_t HttpTransfer::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    HttpTransfer& transfer = *static_cast<HttpTransfer*>(self);
    const std::size_t length = size * count;
    transfer.last_activity_ = Clock::now();
    if (transfer.cancelled()) return transfer.refuse();
    if (transfer.body_ == Body::discarded) {
        transfer.received_ += length;
        return transfer.received_ > most_discarded ? transfer.refuse() : length;
    }
    if (transfer.expected_ && transfer.received_ + length > *transfer.expected_) {
        transfer.wrong_ = transfer.error(EPROTO, "the body is longer than promised");
        return transfer.refuse();
    }
    bool full = false;
    transfer.publish([&] {
        full = transfer.come_.size() >= most_bytes_ahead;
        transfer.full_ = full;
        if (!full) transfer.come_.insert(transfer.come_.end(), bytes, bytes + length);
    });
    if (full) {
        transfer.paused_ = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    transfer.received_ += length;
    if (transfer.expected_ == transfer.received_) transfer.expect_no_more();
    return length;
}

// Of HTTP/2, libcurl would keep it, and tell the server only with the next request.
void HttpTransfer::client_abandon() noexcept {
    (void)curl_easy_setopt(easy_.get(), CURLOPT_FORBID_REUSE, 1L);
}

std::size_t HttpTransfer::refuse() noexcept {
    client_abandon();
    return 0;
}

std::optional<HttpError> HttpTransfer::client_resume() {
    if (!paused_) return {};
    paused_ = false;
    last_activity_ = Clock::now();
    // What this hands over and is refused is not handed over again.
    const CURLcode code = curl_easy_pause(easy_.get(), CURLPAUSE_CONT);
    if (code == CURLE_OK) return {};
    return wrong_ ? *wrong_ : error_of(code);
}

bool HttpTransfer::client_finish(CURLcode code) {
    if (cancelled()) return false;
    if (std::exchange(stale_, false) || (!wrong_ && never_reached_the_server(code))) {
        fresh_ = true;
        return true;
    }
    if (!wrong_ && head_complete_ && is_redirect()) {
        try {
            follow_redirect();
            return true;
        } catch (const HttpError& failure) {
            client_fail(failure);
            return false;
        }
    }
    if (!wrong_ && code != CURLE_OK) wrong_ = error_of(code);
    if (!wrong_ && !head_complete_) wrong_ = error(EPROTO, "it answers with nothing");
    if (!wrong_ && expected_ && received_ != *expected_) {
        wrong_ = error(EPROTO, "the body is shorter than promised");
    }
    if (wrong_) {
        client_fail(*wrong_);
    } else {
        publish([this] { complete_ = true; });
    }
    return false;
}

// A server may end an HTTP/2 connection at any time, as nginx does after a number of requests. What
// is sent on it just then is not looked at, and is to be sent on another one (RFC 9113, section
// 6.8); libcurl does so itself, but not whenever that is the case.
bool HttpTransfer::never_reached_the_server(CURLcode code) const {
    if (code != CURLE_HTTP2 && code != CURLE_HTTP2_STREAM) return false;
    if (fresh_ || head_bytes_ > 0) return false;
    long connections = 0;  // that were made for it
    curl_easy_getinfo(easy_.get(), CURLINFO_NUM_CONNECTS, &connections);
    return connections == 0;
}

void HttpTransfer::follow_redirect() {
    fresh_ = false;
    if (++hops_ > most_redirects) throw error(ELOOP, "too many redirects");
    try {
        url_ = url_.resolve(answer_.location);
        has_left_ = has_left_ || url_.origin() != first_origin_;
    } catch (const std::invalid_argument& wrong) {
        throw error(EPROTO, std::string("a redirect that cannot be followed: ") + wrong.what());
    }
}

void HttpTransfer::client_fail(HttpError failure) {
    publish([&] {
        failure_ = std::make_exception_ptr(std::move(failure));
        come_ = {};
    });
}

std::optional<Clock::time_point> HttpTransfer::client_deadline() const {
    // What is said is known, and the rest is read only for the sake of the connection.
    if (head_complete_ && body_ == Body::discarded) return head_came_ + discarding_time;
    const auto timeout = request_.options->timeout;
    if (timeout.count() <= 0 || paused_) return {};
    return (head_complete_ ? last_activity_ : begun_) + timeout;
}

bool HttpTransfer::client_time_out() {
    if (head_complete_ && body_ == Body::discarded) return client_finish(CURLE_OK);
    client_fail(head_complete_ ? error(ETIMEDOUT, "nothing has come for too long")
                               : error(ETIMEDOUT, "no answer has come in time"));
    return false;
}

HttpError HttpTransfer::error(int number, const std::string& what, int status) const {
    return {number, hops_ == 0 ? what : what + " (redirected to " + url_.printable() + ")", status};
}

HttpError HttpTransfer::error_of(CURLcode code) const {
    long system = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &system);
    int number = EIO;
    long of_proxy = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_HTTP_CONNECTCODE, &of_proxy);
    if (of_proxy >= 300) {
        const bool denied = of_proxy == 403 || of_proxy == 407;
        return error(denied ? EACCES : EIO, "the proxy answers " + std::to_string(of_proxy));
    }
    // One line that is too long, or all of them: before libcurl 8.6 it had no code of its own.
    constexpr auto too_large = static_cast<CURLcode>(100);  // CURLE_TOO_LARGE
    if (!head_complete_ && (code == too_large || code == CURLE_OUT_OF_MEMORY)) {
        return error(EPROTO, "its headers are too long");
    }
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
            return error(EHOSTUNREACH, "the host's name cannot be resolved");
        case CURLE_COULDNT_RESOLVE_PROXY:
            return error(EHOSTUNREACH, "the proxy's name cannot be resolved");
        case CURLE_COULDNT_CONNECT:
            number = system != 0 ? static_cast<int>(system) : ECONNREFUSED;
            return error(number, std::string("no connection: ") + std::strerror(number));
        case CURLE_PARTIAL_FILE:
            return error(EPROTO, "the body is shorter than promised");
        case CURLE_GOT_NOTHING:
            return error(ECONNRESET, "the connection was closed without an answer");
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
            number = system != 0 ? static_cast<int>(system) : ECONNRESET;
            break;
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_BAD_CONTENT_ENCODING:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
            number = EPROTO;
            break;
        case CURLE_OPERATION_TIMEDOUT:
            number = ETIMEDOUT;
            break;
        default:
            break;
    }
    return error(number, curl_easy_strerror(code));
}

}  // namespace filetree
