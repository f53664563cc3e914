#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "byte_stream.hpp"
#include "source.hpp"

namespace filetree::compare {

// The end of a zip's central directory, in zip64 too. The format: APPNOTE.TXT, 4.3.14 to 4.3.16.
struct ZipEnd {
    bool is_of_volume = false;  // one of several, of which nothing else is told here
    bool zip64 = false;
    std::uint64_t entries = 0;    // in all; modulo 65,536 unless it is a zip64
    std::uint64_t directory = 0;  // where the directory begins
    std::uint64_t size = 0;       // of the directory, in bytes
    std::uint64_t moved = 0;      // so much further back lies all than the zip says: of what is
                                  // before it, as the program of a self-extracting one
};

// Nothing where there is none, or where what it says cannot be true or would be taken in different
// ways: its own words against those of a zip64, a directory that is elsewhere than right before it.
[[nodiscard]] std::optional<ZipEnd> zip_end(Source& source);

// Whether it is a zip that holds nothing: the end record alone.
[[nodiscard]] bool is_empty_zip(Source& source);

// A zip's central directory (APPNOTE.TXT, 4.3.12). Read beside libarchive, which goes by the header
// before an entry's content, and leaves out all but one of the entries that share a header: it does
// not notice where the directory, by which other programs go, says something else. What is here is
// all that the directory says of names, methods, sizes and checksums, and no zip passes of which
// the two make different files.
//
// Whatever is wrong is a CompareError: archive.
class ZipDirectory {
   public:
    // All of it is kept: its size, `most` at most, and 16 bytes for each entry. Cancelled when
    // `stopping` is true. `stream` is what libarchive is fed with, from `source`.
    ZipDirectory(Source& source, SourceStream& stream, std::uint64_t most,
                 const std::function<bool()>& stopping);

    // That of the entry which is next in the order of places, libarchive's, both say the same.
    // `content` is where libarchive has found its content to begin, if that is known.
    void check_next(bool is_directory, std::optional<std::uint64_t> content);
    // That there are no more.
    void check_end() const;

   private:
    struct Record {
        std::uint64_t header = 0;  // where the header before the content is
        std::size_t at = 0;        // where the record itself is, in bytes_
    };

    void read(const ZipEnd& end, const std::function<bool()>& stopping);
    void add_whole_records();

    Source& source_;
    SourceStream& stream_;
    std::string bytes_;
    std::size_t parsed_ = 0;  // of bytes_
    std::vector<Record> records_;
    std::size_t next_ = 0;
};

}  // namespace filetree::compare
