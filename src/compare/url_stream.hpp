#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "filetree/compare.hpp"
#include "filetree/http.hpp"

namespace filetree::compare {

// How far the reader of a stream has come.
enum class StreamStep : std::uint8_t {
    waits,  // until on_change is called
    more,   // there is more to do at once
    done,
};

// An HttpStream whose failures are a comparison's.
//
// Threads: one at a time.
class UrlStream {
   public:
    UrlStream(HttpClient& client, const SourceRef& source, std::optional<HttpRange> range,
              std::function<void()> on_change);

    // What messages call it.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    // As HttpStream's. Throws CompareError.
    [[nodiscard]] bool look();
    [[nodiscard]] const HttpHead* head() const noexcept { return stream_->head(); }
    [[nodiscard]] std::span<const char> bytes() const noexcept { return stream_->bytes(); }
    void take(std::size_t count) noexcept { stream_->take(count); }
    [[nodiscard]] bool ended() const noexcept { return stream_->ended(); }
    // After look() has thrown: whether the server is asked for too much at once.
    [[nodiscard]] bool was_refused() const noexcept { return refused_; }

    // Throws when its head tells of another content than an earlier one.
    void expect(const HttpHead& earlier) const;

   private:
    std::string name_;
    std::unique_ptr<HttpStream> stream_;
    bool refused_ = false;
};

[[nodiscard]] CompareError to_compare_error(const HttpError& error, const std::string& name);

}  // namespace filetree::compare
