#pragma once

// What HTTP(S) URLs hold, many at once, by one thread.
//
// An HttpStream is one GET: its head, then its bytes as they come, taken by the caller at its own
// pace. What the server promises is checked: the length and the range. The validators of
// later requests are the caller's to compare. Nothing that a server has answered is tried twice.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace filetree {

// The proxies that an environment names. Empty: none.
struct HttpProxies {
    std::string http;
    std::string https;
    // Hosts that are reached without one, as in no_proxy: names with what is below them, addresses,
    // or "*"; separated by commas.
    std::string exceptions;
};

struct HttpOptions {
    // For the first URL's scheme, host and port only; redirects elsewhere do without.
    std::vector<std::pair<std::string, std::string>> headers;
    // Without a byte, and of the whole head. 0: none.
    std::chrono::nanoseconds timeout{0};
    bool follow_redirects = true;
    bool verify_tls = true;
    std::string ca_file;  // a bundle of certificates; empty: libcurl's
    HttpProxies proxies;
    // Addresses that are not public, such as those of this host and its network: whether a redirect
    // may lead there, and whether the first URL may not. Behind a proxy only addresses that stand
    // in the URL itself can be judged.
    bool allow_private_redirects = false;
    bool block_private = false;
};

// Both inclusive; without `last`, to the end.
struct HttpRange {
    std::uint64_t first = 0;
    std::optional<std::uint64_t> last;
};

struct HttpRequest {
    std::string url;
    std::shared_ptr<const HttpOptions> options;
    std::optional<HttpRange> range;
};

class HttpError : public std::runtime_error {
   public:
    HttpError(int error, const std::string& what, int status = 0)
        : std::runtime_error(what), error_(error), status_(status) {}

    // An errno.
    [[nodiscard]] int error() const noexcept { return error_; }
    // Of the answer, when that is what is wrong; else 0.
    [[nodiscard]] int status() const noexcept { return status_; }

   private:
    int error_;
    int status_;
};

struct HttpHead {
    bool partial = false;                 // what was asked for; else the whole
    std::optional<std::uint64_t> length;  // of the whole, in bytes, where that is known
    bool accepts_ranges = false;
    std::string validators;  // ETag and Last-Modified: other ones tell of another content
};

class HttpTransfer;
namespace http {
class Decoder;
}

// A GET under way. Its end cancels it.
//
// Threads: one at a time.
class HttpStream {
   public:
    explicit HttpStream(std::shared_ptr<HttpTransfer> transfer);
    ~HttpStream();
    HttpStream(const HttpStream&) = delete;
    HttpStream& operator=(const HttpStream&) = delete;

    // Looks what has come. True when there is something new: the head, bytes, or the end. Otherwise
    // `on_change` is called once as soon as there is. Throws HttpError when it has failed.
    [[nodiscard]] bool look();
    // Null until it has come.
    [[nodiscard]] const HttpHead* head() const noexcept;
    // What has come and is not taken yet, at most a MiB; valid until the next look().
    [[nodiscard]] std::span<const char> bytes() const noexcept;
    void take(std::size_t count) noexcept;
    // All has come, and has been taken.
    [[nodiscard]] bool ended() const noexcept;

   private:
    // What has come, decoded.
    void decode(std::vector<char> come);

    std::shared_ptr<HttpTransfer> transfer_;
    std::unique_ptr<http::Decoder> decoder_;  // of a content that comes encoded
    std::vector<char> taken_;                 // what look() found
    std::size_t position_ = 0;
    const HttpHead* head_ = nullptr;
    bool complete_ = false;
};

// The thread that all transfers share: at most 128 at once, and 32 for each origin (scheme, host
// and port), that are not waiting for their caller. Connections are kept for two seconds after the
// last transfer.
//
// Threads: every call from any thread.
class HttpClient {
   public:
    HttpClient();
    // As close().
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // `on_change` is called on the client's thread, and must be quick. Throws std::invalid_argument
    // for what is no http or https URL.
    [[nodiscard]] std::unique_ptr<HttpStream> get(HttpRequest request,
                                                  std::function<void()> on_change);
    // Fails what is under way; what is begun later fails at once. Waits a second at most.
    void close() noexcept;

    class State;

   private:
    std::shared_ptr<State> state_;
};

// As messages may show it: without credentials, and without the query, which may hold signatures.
// Throws std::invalid_argument for what is no http or https URL.
[[nodiscard]] std::string printable_url(const std::string& url);

}  // namespace filetree
