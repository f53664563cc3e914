#pragma once

#include "byte_buffer.hpp"
#include "handover_queue.hpp"
#include "shared.hpp"

namespace filetree::report {

// Text is its own bytes.
struct TextCodec {
    static std::string_view dump(const ByteBuffer& text, ByteBuffer& /*scratch*/) {
        return text.view();
    }
    static bool restore(ByteBuffer& bytes, ByteBuffer& out) {
        out = std::exchange(bytes, {});
        return true;
    }
    static void discard(const ByteBuffer& /*text*/) {}
};

using TextQueue = HandoverQueue<ByteBuffer, TextCodec>;

// What the sinks that write text have in common: whole lines go to the queue a piece at a time.
class TextSink : public EntrySink {
   public:
    explicit TextSink(std::shared_ptr<TextQueue> queue) : queue_(std::move(queue)) {}

    void flush() override {
        if (buffer_.size() == 0) return;
        const std::size_t bytes = buffer_.size();
        queue_->push(std::exchange(buffer_, ByteBuffer(first_size)), bytes);
    }

   protected:
    // Begins a line of at most `length` bytes; append to buffer() unchecked, then call end_line().
    void begin_line(std::size_t length) { buffer_.ensure(length); }
    void end_line() {
        if (buffer_.size() >= piece_size) flush();
    }
    ByteBuffer& buffer() noexcept { return buffer_; }

   private:
    static constexpr std::size_t piece_size = std::size_t{256} << 10U;
    // With the line that makes a piece full, unless it is very long.
    static constexpr std::size_t first_size = piece_size + (std::size_t{16} << 10U);

    std::shared_ptr<TextQueue> queue_;
    ByteBuffer buffer_{first_size};
};

}  // namespace filetree::report
