#pragma once

#include <functional>
#include <memory>

#include "filetree/compare.hpp"
#include "filetree/http.hpp"
#include "source.hpp"

namespace filetree::compare {

// A file or a URL, to be read at any place. Throws CompareError. What waits for a server gives up
// once `stopping` is true.
[[nodiscard]] std::unique_ptr<Source> open_source(FileSystem& fs,
                                                  const std::shared_ptr<HttpClient>& client,
                                                  const SourceRef& ref,
                                                  std::function<bool()> stopping);

// Whether both are one file; of URLs nobody knows.
[[nodiscard]] bool are_same_file(const Source& a, const Source& b) noexcept;

}  // namespace filetree::compare
