#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace filetree::http {

enum class Coding : std::uint8_t { identity, deflated };

// Of a Content-Encoding, in lower case; nothing when it is none that can be decoded. None is asked
// for, so what counts is only what servers send all the same: gzip, seldom deflate.
[[nodiscard]] std::optional<Coding> coding_of(std::string_view name) noexcept;

// Unpacks a gzip or zlib stream a piece at a time, however much it unpacks to. libcurl would keep
// all that one read yields while its callback takes nothing.
//
// Threads: one at a time.
class Decoder {
   public:
    Decoder();
    ~Decoder();
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    // When it lacks input.
    void add(std::vector<char> input);
    // Unpacks at most a MiB into `out`. False: it lacks input. Throws HttpError.
    [[nodiscard]] bool go_on(std::vector<char>& out);
    [[nodiscard]] bool lacks_input() const noexcept;
    // No stream is under way, nor anything left.
    [[nodiscard]] bool is_whole() const noexcept { return between_ && lacks_input(); }

   private:
    z_stream stream_{};
    std::vector<char> input_;
    std::size_t position_ = 0;
    bool out_was_full_ = false;
    bool between_ = true;  // before the first stream, or after one
};

}  // namespace filetree::http
