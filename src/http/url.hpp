#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

namespace filetree::http {

// An http or https URL, taken apart and put together by libcurl (RFC 3986).
//
// Threads: one at a time.
class Url {
   public:
    // Throws std::invalid_argument.
    explicit Url(const std::string& text);

    // What a Location header leads to from here; its fragment is gone. Throws std::invalid_argument
    // when that is no http or https URL.
    [[nodiscard]] Url resolve(const std::string& location) const;

    // As it is asked for, credentials included; without a fragment.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    // Without credentials and query.
    [[nodiscard]] const std::string& printable() const noexcept { return printable_; }
    [[nodiscard]] const std::string& scheme() const noexcept { return scheme_; }
    // Without the brackets of an IPv6 address, and without its zone.
    [[nodiscard]] const std::string& host() const noexcept { return host_; }
    // Scheme, host and port: what a server may be told of another one ends here.
    [[nodiscard]] const std::string& origin() const noexcept { return origin_; }

   private:
    struct Free {
        void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
    };
    using Handle = std::unique_ptr<CURLU, Free>;

    explicit Url(Handle handle);

    Handle handle_;
    std::string text_;
    std::string printable_;
    std::string scheme_;
    std::string host_;
    std::string origin_;
};

}  // namespace filetree::http
